/**
 * The elements of `virtual_alias_maps` that ask for our aliases.
 *
 * Postfix looks up `user@domain`, then `user`, then `@domain`, each in all maps (virtual(5)), so an entry `@domain` takes
 * the mail of every mailbox there. For it to mean unknown recipients only, every recipient that Postfix knows stands in
 * front of it as an entry for itself: not as a table that would have to follow the directory, but as a pipeline that
 * asks the directory. Its answer has to come under `user@domain`, where the domain is known; so bare aliases, which are
 * otherwise looked up later, are asked there as well, before it.
 */
import { recipientMap } from '../recipients/section.js';
import type { SystemView } from '../sections/section.js';

export const ALIAS_TABLE = 'aliases';

/** `$` is doubled in main.cf. The first map of a union decides whether it is asked about user@domain without extension. */
const ALWAYS = 'static:{=}';
const USER = 'regexp:{{/^([^@]+)@[^@]+$$/ $$1}}';
const AT_DOMAIN = 'regexp:{{/^[^@]+(@[^@]+)$$/ $$1}}';
const WHOLE = 'regexp:{{/^([^@]+@[^@]+)$$/ $$1}}';

export function exactMap(system: Pick<SystemView, 'paths'>): string {
  return tableMap(system, ALIAS_TABLE);
}

/** `user@domain` of a domain with a catch-all: the answer of the bare alias `user`. */
export function bareMap(system: Pick<SystemView, 'paths'>): string {
  const table = exactMap(system);
  const found = 'regexp:{{/^=,catchall,(.+)$$/ $$1}}';
  return pipe(union(ALWAYS, isCatchAll(table), USER), found, table);
}

/**
 * `user@domain` of a domain with a catch-all: itself, when Postfix knows the recipient. Served by proxymap(8), because
 * smtpd and cleanup may be in a chroot without the user database.
 */
export function identityMap(
  system: Pick<SystemView, 'paths' | 'parameter'>,
  directory: 'nss' | 'table',
  foreign: readonly string[],
): string {
  const table = exactMap(system);
  const recipients = recipientMap(system);
  const users = directory === 'nss' ? 'unix:passwd.byname' : recipients;
  const names = system.parameter('alias_maps').trim() === '' ? [users] : [users, '$alias_maps'];
  const known = pipe(USER, union(...names));
  const isKnown = pipe(directory === 'nss' ? known : union(recipients, known), 'static:{known}');
  const others = foreign.filter(isPlainTable).map((map) => map.replace(/^proxy:/, ''));
  const isForeign =
    others.length === 0
      ? []
      : [
          pipe(
            union(pipe(WHOLE, union(...others)), pipe(USER, union(...others))),
            'static:{other}',
          ),
        ];
  const found = 'regexp:{{/^=,catchall,known,(.+)$$/ $$1}}';
  const all = union(ALWAYS, ...isForeign, isCatchAll(table), isKnown, WHOLE);
  return `proxy:${pipe(all, found)}`;
}

/** Whether an element of the list is one of ours, whatever version of us wrote it. */
export function isOurMap(element: string, system: Pick<SystemView, 'paths'>): boolean {
  return element.includes(exactMap(system));
}

export function isIdentityMap(element: string, system: Pick<SystemView, 'paths'>): boolean {
  return element.startsWith('proxy:pipemap:') && isOurMap(element, system);
}

function isCatchAll(table: string): string {
  return pipe(AT_DOMAIN, table, 'static:{catchall}');
}

/** Files that proxymap(8) can read; the secrets of a database connection it cannot. */
function isPlainTable(map: string): boolean {
  return /^(?:proxy:)?(?:hash|btree|lmdb|cdb|dbm|texthash|regexp|pcre|inline):/.test(map);
}

function tableMap({ paths }: Pick<SystemView, 'paths'>, name: string): string {
  return `lmdb:${paths.configDir}/mailserver.d/${name}`;
}

function pipe(...maps: readonly string[]): string {
  return `pipemap:{${maps.join(',')}}`;
}

function union(...maps: readonly string[]): string {
  return `unionmap:{${maps.join(',')}}`;
}
