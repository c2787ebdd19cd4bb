/**
 * The list of local domains as its view shows it.
 */
import type { Formats } from '../formats.js';
import type { Translator } from '../i18n.js';
import type { ListQuery } from '../web/list.js';
import type { DomainCheck } from './check-store.js';
import { isInternalName } from './dns-check.js';
import type { FindingState } from './finding.js';
import { toUnicodeDomain } from './schema.js';
import type { DomainTarget, ListedDomain } from './service.js';

export const DOMAIN_SORTS = ['name', 'added'] as const;

export interface DomainRowView {
  readonly id: string;
  /** For the tick box: what `readTarget` reads. */
  readonly key: string;
  readonly name: string;
  readonly shown: string;
  readonly added: string;
  readonly href: string;
  readonly removeHref: string;
  readonly pending: boolean;
  readonly check: CheckView;
}

export interface CheckView {
  readonly state: FindingState | 'info';
  readonly icon: string;
  readonly word: string;
  readonly age: string;
}

/** What a row is known by in an address and a form. */
export function targetKey({ name, row }: ListedDomain): string {
  return row === null ? `name:${name}` : `${row.id}.${row.version}`;
}

/** The inverse of `targetKey`; null for anything else. */
export function readTarget(key: string): DomainTarget | null {
  const match = /^(?:([1-9]\d{0,17})\.(\d{1,10})|name:(.{1,253}))$/.exec(key);
  if (match === null) return null;
  const [, id, version, name] = match;
  return id === undefined ? { name: name ?? '' } : { id, version: Number(version) };
}

/** The part of a domain's address below the list. */
export function domainPath({ name, row }: ListedDomain): string {
  return row === null ? name : row.id;
}

/** Matches the search in both forms of the name, in the order asked for. */
export function selectDomains(
  domains: readonly ListedDomain[],
  query: ListQuery,
  format: Formats,
): readonly ListedDomain[] {
  const wanted = query.search.toLowerCase();
  const found = domains.filter(
    ({ name }) => name.includes(wanted) || toUnicodeDomain(name).includes(wanted),
  );
  const byName = (a: ListedDomain, b: ListedDomain): number =>
    format.compare(toUnicodeDomain(a.name), toUnicodeDomain(b.name));
  const byAge = (a: ListedDomain, b: ListedDomain): number =>
    (a.row?.updatedAt.getTime() ?? 0) - (b.row?.updatedAt.getTime() ?? 0) || byName(a, b);
  const sorted = found.toSorted(query.sort === 'added' ? byAge : byName);
  return query.descending ? sorted.toReversed() : sorted;
}

export function viewDomain(
  t: Translator,
  format: Formats,
  path: string,
  domain: ListedDomain,
  check: DomainCheck | undefined,
  pending: boolean,
): DomainRowView {
  const { name, row } = domain;
  const key = targetKey(domain);
  return {
    id: row?.id ?? name.replaceAll('.', '-'),
    key,
    name,
    shown: toUnicodeDomain(name),
    added:
      row === null
        ? t('domains.added.machine')
        : t('domains.added.by', { when: format.moment(row.updatedAt), who: row.updatedBy }),
    href: `${path}/${domainPath(domain)}`,
    removeHref: `${path}/remove?row=${encodeURIComponent(key)}`,
    pending,
    check: viewCheck(t, format, name, check, pending),
  };
}

/** What else is delivered here, as `mydestination` has it, in words where it names none itself (postconf(5)). */
export function otherInWords(t: Translator, element: string, serverName: string): string {
  const [, host = '', key = ''] =
    /^(localhost\.)?\$[{(]?(myhostname|mydomain)[)}]?$/.exec(element) ?? [];
  if (key === '') return element;
  return t(`domains.other.${host === '' ? key : 'localhost'}`, { name: serverName, element });
}

function viewCheck(
  t: Translator,
  format: Formats,
  name: string,
  check: DomainCheck | undefined,
  pending: boolean,
): CheckView {
  const age = check === undefined ? '' : format.ago(check.at);
  if (isInternalName(name)) {
    return { state: 'off', icon: 'off', word: t('domains.check.word.internal'), age: '' };
  }
  if (pending) return { state: 'info', icon: 'busy', word: t('domains.check.word.pending'), age };
  if (check === undefined) {
    return { state: 'off', icon: 'off', word: t('domains.check.word.none'), age: '' };
  }
  const state = worst(Object.values(check.findings).map((found) => found.state));
  return { state, icon: state, word: t(`domains.check.word.${state}`), age };
}

/** The state of the whole: what could not be asked counts only when nothing could. */
function worst(states: readonly FindingState[]): FindingState {
  return (['bad', 'warn', 'ok'] as const).find((state) => states.includes(state)) ?? 'off';
}
