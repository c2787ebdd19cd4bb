/** Where everything lies, beyond what the helper needs to know. */
import { FETCH_STATE } from '../fetcher/places.js';
import { pathsBelow, type Paths } from '../privileged/paths.js';

export interface Places extends Paths {
  /** The installed build; `current` in it points to the release in use. */
  readonly programs: string;
  readonly mailboxes: string;
  /** Certificates offered for mail: files of root's, keys for root alone. */
  readonly certificates: string;
  readonly helperSocket: string;
  /** State of the console, its embedded database included; for the console's user alone. */
  readonly consoleState: string;
  /** State of the fetcher: what was seen, locks, last results. */
  readonly fetchState: string;
  /** Where the console may listen on a socket for a reverse proxy (`--listen unix:…`). */
  readonly proxyFolder: string;
}

/** `root` is null for the machine itself; a lab has every path under its own folder. */
export function placesBelow(root: string | null): Places {
  const base = root ?? '';
  return {
    ...pathsBelow(root),
    programs: `${base}/usr/local/lib/mailserver`,
    mailboxes: `${base}/var/mail`,
    certificates: `${base}/etc/mailserver/certificates`,
    helperSocket: `${base}/run/mailserver/helper.sock`,
    consoleState: `${base}/var/lib/mailserver-console`,
    fetchState: `${base}${FETCH_STATE}`,
    proxyFolder: `${base}/run/mailserver-console`,
  };
}

/** Where Debian keeps the settings of services. */
export const SETTINGS_FILE = '/etc/default/mailserver-console';

/** The unprivileged account the console runs as, and the group that may speak to the helper. */
export const CONSOLE_USER = 'mailserver-console';
export const HELPER_GROUP = 'mailserver';

/** The account that fetches mail from other providers; its group has the same name. */
export { FETCH_USER } from '../fetchmail/section.js';

/** Who may connect to the console's socket: a reverse proxy, which is believed whom it says it has signed in. */
export const PROXY_GROUP = 'mailserver-proxy';
