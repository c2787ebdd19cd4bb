/** The list of queries: what matches, in which order, and each row in words. */
import { displayAddress } from '../aliases/address.js';
import { toUnicodeDomain } from '../domains/schema.js';
import type { Formats } from '../formats.js';
import type { Translator } from '../i18n.js';
import type { ListQuery } from '../web/list.js';
import type { FetchProtocol, FetchQuery } from './schema.js';
import type { Listed } from './service.js';
import { viewStatus, type StatusView } from './status-view.js';

export const QUERY_SORTS = ['name', 'server', 'user', 'last', 'fetched'] as const;
export const QUERY_STATES = ['all', 'on', 'off', 'failing'] as const;
export type QueryState = (typeof QUERY_STATES)[number];

/** Recipients a row names before it counts the others. */
const NAMED_RECIPIENTS = 3;

export interface QueryRowView {
  readonly id: string;
  readonly key: string;
  readonly name: string;
  readonly href: string;
  readonly server: string;
  readonly protocol: string;
  readonly remoteUser: string;
  readonly destination: string;
  readonly enabled: boolean;
  readonly state: StatusView;
  readonly last: string;
  readonly fetched: string;
}

/** Those that match search and state, in the order asked for. */
export function selectQueries(
  rows: readonly Listed[],
  query: ListQuery,
  state: QueryState,
  format: Formats,
): readonly Listed[] {
  const wanted = query.search.toLowerCase();
  const found = rows.filter(
    (row) => inState(row, state) && (wanted === '' || searchText(row.query).includes(wanted)),
  );
  const byName = (a: Listed, b: Listed): number =>
    format.compare(a.query.name, b.query.name) || Number(a.query.id) - Number(b.query.id);
  const orders: Readonly<Record<string, (a: Listed, b: Listed) => number>> = {
    name: byName,
    server: (a, b) => format.compare(a.query.server, b.query.server) || byName(a, b),
    user: (a, b) => format.compare(a.query.remoteUser, b.query.remoteUser) || byName(a, b),
    last: (a, b) => lastOf(a) - lastOf(b) || byName(a, b),
    fetched: (a, b) => fetchedOf(a) - fetchedOf(b) || byName(a, b),
  };
  const sorted = found.toSorted(orders[query.sort] ?? byName);
  return query.descending ? sorted.toReversed() : sorted;
}

function inState({ query, status }: Listed, state: QueryState): boolean {
  switch (state) {
    case 'all':
      return true;
    case 'on':
      return query.enabled;
    case 'off':
      return !query.enabled;
    case 'failing':
      return isFailing({ query, status });
  }
}

export function isFailing({
  query,
  status,
}: Pick<Listed, 'status'> & { query: { enabled: boolean } }): boolean {
  return query.enabled && status !== null && status.failingSince !== null;
}

function searchText(query: FetchQuery): string {
  const { name, server, remoteUser, users, alias, address, localDomains } = query;
  return [
    name,
    server,
    toUnicodeDomain(server),
    remoteUser,
    ...users,
    alias,
    address,
    ...localDomains,
  ]
    .join(' ')
    .toLowerCase();
}

function lastOf({ status }: Listed): number {
  return status === null ? 0 : Date.parse(status.finishedAt);
}

function fetchedOf({ status }: Listed): number {
  return status?.fetchedInAll ?? 0;
}

export function viewQuery(
  t: Translator,
  format: Formats,
  path: string,
  { query, status }: Listed,
): QueryRowView {
  const { id, version, name, enabled, remoteUser } = query;
  return {
    ...{ id, name, enabled, remoteUser },
    key: `${id}.${version}`,
    href: `${path}/${id}`,
    server: toUnicodeDomain(query.server),
    protocol: protocolName(t, query.protocol),
    destination: destinationText(t, query),
    state: viewStatus(t, query, status),
    last: status === null ? t('fetchmail.fact.never') : format.ago(new Date(status.finishedAt)),
    fetched: format.number(status?.fetchedInAll ?? 0),
  };
}

/** Its own name in every language; only the one that tries has none. */
export function protocolName(t: Translator, protocol: FetchProtocol): string {
  return protocol === 'auto' ? t('fetchmail.protocol.auto') : protocol.toUpperCase();
}

export function destinationText(t: Translator, query: FetchQuery): string {
  switch (query.destination) {
    case 'user': {
      const named = query.users.slice(0, NAMED_RECIPIENTS).join(', ');
      const more = query.users.length - NAMED_RECIPIENTS;
      return more > 0 ? t('fetchmail.to.users', { named, more }) : named;
    }
    case 'alias':
      return t('fetchmail.to.alias', { alias: displayAddress(query.alias) });
    case 'address':
      return displayAddress(query.address);
    case 'multidrop':
      return t('fetchmail.to.multidrop', {
        domains: query.localDomains.map(toUnicodeDomain).join(', '),
      });
  }
}
