/** Where everything of one instance lies. A private root has the same tree below its own folder. */
import path from 'node:path';

export interface Paths {
  /** '' for the machine itself, else the private root without a trailing slash. */
  readonly root: string;
  readonly configDir: string;
  readonly queueDir: string;
  readonly dataDir: string;
  readonly mailLog: string;
  readonly aliases: string;
  /** Folder of our lookup tables and files below Postfix' own folder. */
  readonly ownConfigDir: string;
  /** State of the helper: key pair, applied settings, journal, audit log. Root only. */
  readonly stateDir: string;
}

/** Throws a `RangeError` for a root that is not an absolute, normal path. */
export function pathsBelow(root: string | null): Paths {
  const base = root ?? '';
  if (base !== '' && (!path.isAbsolute(base) || path.normalize(base) !== base || base === '/')) {
    throw new RangeError(`not a private root: ${base}`);
  }
  const configDir = `${base}/etc/postfix`;
  return {
    root: base,
    configDir,
    queueDir: `${base}/var/spool/postfix`,
    dataDir: `${base}/var/lib/postfix`,
    mailLog: `${base}/var/log/mail.log`,
    aliases: `${base}/etc/aliases`,
    ownConfigDir: `${configDir}/mailserver.d`,
    stateDir: `${base}/var/lib/mailserver-helper`,
  };
}
