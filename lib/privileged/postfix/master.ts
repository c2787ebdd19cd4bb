/** `master.cf` lines (master(5)) in the form `postconf -M` prints them. */
import type { MasterService } from '../../sections/section.js';

/** `name` is `smtp/inet`. Options with blanks are written as `-o {name=value}` (Postfix 3.0 and later), as postconf prints it. */
export function formatMasterService(name: string, service: MasterService): string {
  const slash = name.lastIndexOf('/');
  const columns = [
    name.slice(0, slash),
    service.type,
    service.private,
    service.unprivileged,
    service.chroot,
    service.wakeup,
    service.maxproc,
    service.command,
    ...service.options.map(([option, value]) =>
      /[\s{}]/.test(value) ? `-o {${option}=${value}}` : `-o ${option}=${value}`,
    ),
  ];
  return columns.join(' ');
}

export interface ParsedService {
  readonly name: string;
  readonly type: string;
  readonly private: string;
  readonly chroot: string;
  readonly command: string;
  /** The rest of the line: arguments as written. */
  readonly arguments: string;
}

/** The columns of one line. */
export function parseMasterLine(line: string): ParsedService {
  const [name = '', type = '', priv = '', , chroot = '', , , command = '', ...rest] =
    line.split(' ');
  return { name, type, private: priv, chroot, command, arguments: rest.join(' ') };
}

/** The value of an option (`-o name=value`, `-o { name = value }`) in a service's line; null when it is not there. */
export function masterOption(line: string, name: string): string | null {
  let value: string | null = null;
  for (const [, braced, plain] of line.matchAll(/ -o ?(?:\{ ?((?:[^{}]|\{[^}]*\})*)\}|(\S+))/g)) {
    const text = braced ?? plain ?? '';
    const equals = text.indexOf('=');
    if (text.slice(0, equals).trim() === name) value = text.slice(equals + 1).trim();
  }
  return value;
}
