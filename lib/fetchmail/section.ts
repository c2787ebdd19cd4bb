/**
 * Fetchmail: one run control file per query, the schedule, and the way in for the mail that was fetched.
 *
 * Fetched mail enters by a listener of its own on loopback, which takes it for local recipients and for the queries' own
 * addresses and relays nothing else. The own addresses become the real recipients when the message is queued
 * (virtual(5)), so who gets the mail of a query is a row in a table and nothing in fetchmail's file.
 */
import { homeDomain, staticDestinations } from '../aliases/home-domain.js';
import type {
  AllSettings,
  MasterService,
  OwnFile,
  Section,
  SystemView,
  TableContent,
} from '../sections/section.js';
import { contentFilter, isScanning } from '../security/section.js';
import { recipientsOf } from './recipients.js';
import { queryAddress, renderRunControl, type RunControlParts } from './run-control.js';
import { fetchmailSchema, MAX_QUERIES, type FetchmailSettings, type FetchQuery } from './schema.js';
import { keepsPassword, openPassword } from './security.js';
import { renderSchedule } from './schedule.js';

export const FETCH_FOLDER = '/etc/mailserver/fetchmail';
export const SCHEDULE_FILE = `${FETCH_FOLDER}/schedule.json`;
/** The account that fetches: it can read its own passwords and nothing else of ours. */
export const FETCH_USER = 'mailserver-fetch';
export const DESTINATION_TABLE = 'fetchmail-destinations';
export const ACCESS_TABLE = 'fetchmail-access';

/** Below this instance's root. */
export function runControlFile(id: string): string {
  return `${FETCH_FOLDER}/${id}.rc`;
}

export const fetchmailSection: Section<FetchmailSettings> = {
  id: 'fetchmail',
  schema: fetchmailSchema,
  follows: ['base', 'domains', 'security'],
  rows: { list: 'queries', most: MAX_QUERIES },
  owns: {
    parameters: [],
    lists: ['virtual_alias_maps'],
    master: ['127.0.0.1:{fetchmailIn}/inet'],
    tables: [DESTINATION_TABLE, ACCESS_TABLE],
    files: [],
    folders: [FETCH_FOLDER],
    filesApart: true,
  },

  render({ queries }, system, all) {
    const used = queries.length > 0;
    const home = homeDomain(all, system, null);
    let files: Record<string, OwnFile> | undefined;
    const listener = `127.0.0.1:${system.port('fetchmailIn')}/inet`;
    return {
      lists: {
        virtual_alias_maps: used
          ? [{ slot: 'exact', value: table(system, DESTINATION_TABLE) }]
          : [],
      },
      master: { [listener]: used ? listenerService(system, isScanning(all)) : null },
      tables: used
        ? {
            [DESTINATION_TABLE]: tableOf(queries, (query) => recipientsOf(query, home).join(', ')),
            [ACCESS_TABLE]: tableOf(queries, () => 'OK'),
          }
        : {},
      around: JSON.stringify([home, ...localDomains(all, system)]),
      get files() {
        return (files ??= used ? ownFiles(queries, system, all, home) : {});
      },
    };
  },

  read: () => ({ settings: { queries: [] }, unclear: [] }),

  refuses(before, after) {
    const old = new Map((before?.queries ?? []).map((query) => [query.id, query]));
    const loosened = after.queries.some((query) => {
      const known = old.get(query.id);
      if (known === query) return false;
      const kept = known !== undefined && known.remotePassword !== '';
      return kept && known.remotePassword === query.remotePassword && !keepsPassword(known, query);
    });
    return loosened ? { field: 'remotePassword', key: 'fetchmail.problem.passwordAgain' } : null;
  },
};

function ownFiles(
  queries: readonly FetchQuery[],
  system: SystemView,
  all: AllSettings,
  home: string,
): Record<string, OwnFile> {
  const surroundings = { home, isLocal: isLocalIn(all, system) };
  const runControls = Object.fromEntries(
    queries.map((query) => [runControlFile(query.id), ownRunControl(query, system, surroundings)]),
  );
  return { ...runControls, [SCHEDULE_FILE]: scheduleFile(queries, system) };
}

/**
 * A password is opened when somebody reads the content, which takes a moment: of hundreds of queries one has changed. The
 * recipe is the same text with the box in the place of the password; what binds the box stands in it too.
 */
function ownRunControl(
  query: FetchQuery,
  system: SystemView,
  surroundings: Omit<RunControlParts, 'password'>,
): OwnFile {
  let content: string | undefined;
  let recipe: string | undefined;
  const render = (password: string): string =>
    renderRunControl(query, { password, ...surroundings });
  return {
    get content() {
      return (content ??= render(passwordOf(query, system)));
    },
    get recipe() {
      return (recipe ??= render(query.remotePassword));
    },
    madeOf: query,
    mode: 0o600,
    owner: FETCH_USER,
    secret: true,
  };
}

/** What a run control file depends on beside its query. */
export function surroundingsOf(
  all: AllSettings,
  system: SystemView,
): Pick<RunControlParts, 'home' | 'isLocal'> {
  return { home: homeDomain(all, system, null), isLocal: isLocalIn(all, system) };
}

function isLocalIn(all: AllSettings, system: SystemView): (domain: string) => boolean {
  const local = localDomains(all, system);
  return (domain) => local.has(domain);
}

/** Throws a `RangeError` when the password was sealed for another server or a stricter connection. */
function passwordOf(query: FetchQuery, { open }: SystemView): string {
  return query.remotePassword === '' || !open ? '' : openPassword(query, open);
}

/** Domains whose mail is delivered here, those this very change brings or takes included. */
function localDomains(all: AllSettings, system: SystemView): ReadonlySet<string> {
  const saved = all['domains'] as { readonly names: readonly string[] } | undefined;
  return new Set(saved?.names ?? staticDestinations(system));
}

function scheduleFile(queries: readonly FetchQuery[], system: SystemView): OwnFile {
  const content = renderSchedule(queries, system.port('fetchmailIn'));
  return { content, mode: 0o600, owner: FETCH_USER };
}

function tableOf(
  queries: readonly FetchQuery[],
  value: (query: FetchQuery) => string,
): TableContent {
  return {
    entries: queries.map((query) => [queryAddress(query.id), value(query)] as const),
    secret: false,
  };
}

function table(system: SystemView, name: string): string {
  return `lmdb:${system.paths.configDir}/mailserver.d/${name}`;
}

/**
 * Nothing that judges a stranger applies: the client is always this machine, and the sender somebody's who was accepted
 * elsewhere long ago. What the message holds is judged by the content filter (see the section Security).
 */
function listenerService(system: SystemView, scanned: boolean): MasterService {
  const access = `check_recipient_access ${table(system, ACCESS_TABLE)}, reject_unauth_destination`;
  return {
    type: 'inet',
    private: 'n',
    unprivileged: '-',
    chroot: 'n',
    wakeup: '-',
    maxproc: '-',
    command: 'smtpd',
    options: [
      ['syslog_name', 'postfix/fetchmail'],
      ['mynetworks', ''],
      ['relay_domains', ''],
      ['smtpd_authorized_xclient_hosts', ''],
      ['smtpd_client_restrictions', ''],
      ['smtpd_helo_required', 'no'],
      ['smtpd_helo_restrictions', ''],
      ['smtpd_sender_restrictions', ''],
      ['smtpd_relay_restrictions', access],
      ['smtpd_recipient_restrictions', access],
      ['smtpd_data_restrictions', ''],
      ['smtpd_end_of_data_restrictions', ''],
      ['smtpd_etrn_restrictions', 'reject'],
      ['smtpd_sasl_auth_enable', 'no'],
      ['smtpd_tls_security_level', 'none'],
      ['smtpd_client_connection_count_limit', '0'],
      ['smtpd_client_connection_rate_limit', '0'],
      ['smtpd_client_message_rate_limit', '0'],
      ['smtpd_client_recipient_rate_limit', '0'],
      ['smtpd_delay_reject', 'yes'],
      ['strict_rfc821_envelopes', 'no'],
      ...scanOptions(system, scanned),
    ],
  };
}

/** It is scanned like mail from outside, after it was taken: the server it was fetched from would not be told of a refusal. */
function scanOptions(
  system: SystemView,
  scanned: boolean,
): readonly (readonly [name: string, value: string])[] {
  if (!scanned) return [];
  return [
    ['smtpd_proxy_filter', ''],
    ['content_filter', contentFilter(system, 'amavisFetched')],
  ];
}
