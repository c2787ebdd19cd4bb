/** What `postconf` says about one configuration folder, read once and asked many times. */
import type { SystemView } from '../../sections/section.js';
import { HelperError } from '../../errors.js';
import { readDirectives, splitDirectiveKey } from '../apply/directives.js';
import type { Paths } from '../paths.js';
import { runNative } from '../native.js';
import { portsOf } from '../ports.js';
import type { Secrets } from '../secrets.js';
import { surroundingsOf } from './surroundings.js';

export const POSTCONF = '/usr/sbin/postconf';

export interface MasterEntry {
  /** `smtp/inet` */
  readonly name: string;
  /** All eight columns, as `postconf -M` prints them, in one line with single blanks. */
  readonly line: string;
}

export interface ConfigView extends SystemView {
  /** Names that main.cf sets, with their values. */
  readonly set: ReadonlyMap<string, string>;
  readonly master: readonly MasterEntry[];
  /** Warnings `postconf` printed; null where it was not asked, but remembered. */
  readonly warnings: string | null;
  /** The value of a line in a file of another program, by path and name in one (see `directives.ts`); null without it. */
  readonly directive: (key: string) => string | null;
  /** How the view opens and seals secrets, to give it on to another view. */
  readonly secrets?: Secrets | undefined;
}

/** What `postconf` prints: all parameters, those that main.cf sets, the services; and its warnings. */
export interface PostconfAnswers {
  readonly all: string;
  readonly set: string;
  readonly master: string;
  readonly warnings: string | null;
}

/**
 * Asks three `postconf` at a time about the configuration in `folder` (about 20 ms).
 * Throws a `HelperError` at stage `check` when Postfix cannot read it.
 */
export async function askPostconf(folder: string): Promise<PostconfAnswers> {
  const ask = (...args: string[]) => runNative(POSTCONF, ['-c', folder, ...args]);
  const [all, set, master] = await Promise.all([ask(), ask('-n'), ask('-M')]);
  for (const answer of [all, set, master]) {
    if (answer.code !== 0) throw unreadable(answer.stderr);
  }
  return { all: all.stdout, set: set.stdout, master: master.stdout, warnings: set.stderr };
}

/** Reads the configuration in `folder`. Throws like `askPostconf`. */
export async function readConfig(
  folder: string,
  paths: Paths,
  secrets?: Secrets,
  asked = askPostconf(folder),
): Promise<ConfigView> {
  const [ports, { all, set, master, warnings }] = await Promise.all([portsOf(paths), asked]);
  const effective = parseParameters(all);
  const explicit = parseParameters(set);
  const entries = parseMaster(master);
  const surroundings = surroundingsOf(folder, paths);
  return {
    parameter: (name) => effective.get(name) ?? '',
    isSet: (name) => explicit.has(name),
    masterService: (name) => entries.find((entry) => entry.name === name)?.line ?? null,
    paths,
    port: (name) => ports[name],
    postfixVersion: effective.get('mail_version') ?? '',
    ...secrets,
    secrets,
    lookup: surroundings.lookup,
    installed: surroundings.installed,
    get certificates() {
      return surroundings.certificates;
    },
    get login() {
      return surroundings.login;
    },
    set: explicit,
    master: entries,
    directive: (key) => {
      const { file, name } = splitDirectiveKey(key);
      return readDirectives(paths.root + file).get(name) ?? null;
    },
    warnings,
  };
}

function unreadable(stderr: string): HelperError {
  return new HelperError({
    stage: 'check',
    key: 'helper.check.unreadable',
    values: {},
    detail: stderr,
    restored: true,
  });
}

function parseParameters(text: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^(\S+) =(?: (.*))?$/.exec(line);
    if (match?.[1]) parameters.set(match[1], match[2] ?? '');
  }
  return parameters;
}

/** `postconf -M` puts options on lines of their own that begin with a blank. */
function parseMaster(text: string): MasterEntry[] {
  const lines: string[] = [];
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    if (/^\s/.test(line)) lines.push(`${lines.pop() ?? ''} ${line.trim()}`);
    else lines.push(line);
  }
  return lines.map((line) => {
    const columns = line.trim().split(/\s+/);
    return { name: `${columns[0] ?? ''}/${columns[1] ?? ''}`, line: columns.join(' ') };
  });
}
