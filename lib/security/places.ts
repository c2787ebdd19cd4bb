/** Where the scanners of an instance keep their things, below its root. Both sides use it. */

/** The folder of amavis' configuration; it reads its files in the order of their names. */
export const AMAVIS_FOLDER = '/etc/amavis/conf.d';
/** Our part of it; further parts of ours come after it. */
export const AMAVIS_FILE = `${AMAVIS_FOLDER}/60-mailserver`;
export const SPAMASSASSIN_FOLDER = '/etc/spamassassin';
export const SPAMASSASSIN_FILE = `${SPAMASSASSIN_FOLDER}/mailserver.cf`;
export const CLAMD_FILE = '/etc/clamav/clamd.conf';
export const FRESHCLAM_FILE = '/etc/clamav/freshclam.conf';
/** Where clamd listens. */
export const CLAMD_SOCKET = '/run/clamav/clamd.ctl';
export const SIGNATURE_FOLDER = '/var/lib/clamav';
/** The home of amavis, where it takes mails apart. */
export const AMAVIS_HOME = '/var/lib/amavis';
/** Where amavis keeps mail back: one file per mail, named as `quarantine/schema.ts` says. */
export const QUARANTINE_FOLDER = `${AMAVIS_HOME}/virusmails`;
/** The account that takes mails apart, and its group. */
export const AMAVIS_USER = 'amavis';
