/** The list of networks, and the answer of the self-check, as their views show them. */
import type { Formats } from '../formats.js';
import type { Translator } from '../i18n.js';
import type { ListQuery } from '../web/list.js';
import {
  compareNetworks,
  kindOf,
  parseNetwork,
  type Network,
  type NetworkKind,
} from './network.js';
import type { CheckedRelay, ListedNetwork, NetworkTarget } from './service.js';
import { countOf } from './typed.js';

export const NETWORK_SORTS = ['network', 'added'] as const;

export interface NetworkRowView {
  readonly id: string;
  readonly key: string;
  readonly network: string;
  readonly kind: string;
  readonly kindState: 'ok' | 'warn' | 'off';
  readonly addresses: string;
  readonly note: string;
  readonly added: string;
  readonly editHref: string;
  /** '' where it may not go. */
  readonly removeHref: string;
}

/** What a row is known by in an address and a form. */
export function targetKey({ network, row }: ListedNetwork): string {
  return row === null ? `network:${network}` : `${row.id}.${row.version}`;
}

/** The inverse of `targetKey`; null for anything else. */
export function readTarget(key: string): NetworkTarget | null {
  const match = /^(?:([1-9]\d{0,17})\.(\d{1,10})|network:([0-9a-f.:/]{2,60}))$/.exec(key);
  if (match === null) return null;
  const [, id, version, network] = match;
  return id === undefined ? { network: network ?? '' } : { id, version: Number(version) };
}

/** Matches the search in network and note, in the order asked for. */
export function selectNetworks(
  networks: readonly ListedNetwork[],
  query: ListQuery,
): readonly ListedNetwork[] {
  const wanted = query.search.toLowerCase();
  const found = networks.filter(
    ({ network, note }) => network.includes(wanted) || note.toLowerCase().includes(wanted),
  );
  const byNetwork = (a: ListedNetwork, b: ListedNetwork): number =>
    compareNetworks(networkOf(a), networkOf(b));
  const byAge = (a: ListedNetwork, b: ListedNetwork): number =>
    (a.row?.updatedAt.getTime() ?? 0) - (b.row?.updatedAt.getTime() ?? 0) || byNetwork(a, b);
  const sorted = found.toSorted(query.sort === 'added' ? byAge : byNetwork);
  return query.descending ? sorted.toReversed() : sorted;
}

function networkOf({ network }: ListedNetwork): Network {
  const parsed = parseNetwork(network);
  if (!('network' in parsed)) throw new RangeError(`not a network: ${network}`);
  return parsed.network;
}

const STATES: Readonly<Record<NetworkKind, NetworkRowView['kindState']>> = {
  loopback: 'ok',
  private: 'ok',
  linkLocal: 'ok',
  shared: 'warn',
  documentation: 'warn',
  public: 'warn',
  unusable: 'off',
};

export function viewNetwork(
  t: Translator,
  format: Formats,
  path: string,
  listed: ListedNetwork,
): NetworkRowView {
  const { network, note, row } = listed;
  const parsed = networkOf(listed);
  const kind = kindOf(parsed);
  const key = targetKey(listed);
  return {
    id: row?.id ?? network.replaceAll(/[.:/]/g, '-'),
    key,
    network,
    kind: t(`relay.kind.${kind}`),
    kindState: STATES[kind],
    addresses: t('relay.addresses', { count: countOf(parsed) }),
    note,
    added:
      row === null
        ? t('relay.added.machine')
        : t('relay.added.by', { when: format.moment(row.updatedAt), who: row.updatedBy }),
    editHref: `${path}/edit?row=${encodeURIComponent(key)}`,
    removeHref: kind === 'loopback' ? '' : `${path}/remove?row=${encodeURIComponent(key)}`,
  };
}

export interface CheckView {
  readonly kind: 'ok' | 'warn' | 'bad' | 'off';
  readonly title: string;
  readonly text: string;
  readonly dialogue: string;
}

/** The last self-check as a sentence; before the first one, that there was none. */
export function viewCheck(t: Translator, format: Formats, last: CheckedRelay | null): CheckView {
  if (last === null) {
    return {
      kind: 'off',
      title: t('relay.check.none.title'),
      text: t('relay.check.none.text'),
      dialogue: '',
    };
  }
  const { outcome, asked, answers, dialogue } = last.result;
  const kinds = { closed: 'ok', open: 'bad', refused: 'warn', noListener: 'off' } as const;
  // One of them asks a second time, with a sender of ours.
  const strangers = new Set(answers.map(({ address }) => address));
  const through = answers.filter((answer) => answer.outcome === 'open');
  const addresses = format.list([...new Set(through.map(({ address }) => address))]);
  const values = { count: strangers.size, addresses };
  const when = t(`relay.check.asked.${asked}`, { when: format.ago(last.at) });
  const found = t(`relay.check.${outcome}.text`, values);
  return {
    kind: kinds[outcome],
    title: t(`relay.check.${outcome}.title`, values),
    text: `${found} ${when}`,
    dialogue: dialogue.join('\n'),
  };
}
