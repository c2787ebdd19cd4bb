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
/**
 * One file per mail that was kept back, as amavis writes it: the whole message, before it `X-Envelope-From`, `X-Envelope-To`
 * and `X-Quarantine-ID`. It is named by its kind and amavis' id of the mail: `virus-`, `spam-`, `banned-`, `badh-`, and then
 * twelve letters, digits or the signs `-` and `_`.
 */
export const QUARANTINE_FOLDER = `${AMAVIS_HOME}/virusmails`;
export const QUARANTINE_FILE = /^(virus|spam|banned|badh)-[A-Za-z0-9][\w-]{10}[A-Za-z0-9]$/;
/** The account that takes mails apart, and its group. */
export const AMAVIS_USER = 'amavis';
