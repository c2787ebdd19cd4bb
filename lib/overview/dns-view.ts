/** What the DNS says of the local domains, the worst first, as a table of the overview. */
import type { DomainCheck } from '../domains/check-store.js';
import { DNS_QUESTIONS } from '../domains/dns-check.js';
import { wordOf, type FindingState } from '../domains/finding.js';
import { domainPath } from '../domains/list-view.js';
import { toUnicodeDomain } from '../domains/schema.js';
import type { ListedDomain } from '../domains/service.js';
import type { Formats } from '../formats.js';
import type { Translator } from '../i18n.js';

/** Domains shown; the others are behind a link. */
const SHOWN = 5;

const WORST_FIRST: readonly FindingState[] = ['bad', 'warn', 'off', 'ok'];

export interface DnsRow {
  readonly domain: ListedDomain;
  /** Null while it was never asked. */
  readonly check: DomainCheck | null;
}

export interface DnsTable {
  readonly questions: readonly string[];
  readonly rows: readonly {
    readonly name: string;
    readonly href: string;
    readonly answers: readonly { readonly kind: FindingState; readonly word: string }[];
    readonly age: string;
  }[];
  /** How many more there are. */
  readonly more: number;
}

/** Null without a domain that the DNS of the internet could say anything about. */
export function viewDns(
  t: Translator,
  format: Formats,
  path: string,
  rows: readonly DnsRow[],
): DnsTable | null {
  if (rows.length === 0) return null;
  const sorted = rows.toSorted((a, b) => rank(a) - rank(b));
  return {
    questions: DNS_QUESTIONS.map((question) => question.toUpperCase()),
    rows: sorted.slice(0, SHOWN).map(({ domain, check }) => ({
      name: toUnicodeDomain(domain.name),
      href: `${path}/${domainPath(domain)}`,
      answers: DNS_QUESTIONS.map((question) => {
        const found = check?.findings[question];
        return {
          kind: found?.state ?? 'off',
          word: t(found === undefined ? 'domains.check.word.none' : wordOf(found)),
        };
      }),
      age: check === null ? '' : format.ago(check.at),
    })),
    more: Math.max(0, rows.length - SHOWN),
  };
}

function rank({ check }: DnsRow): number {
  if (check === null) return WORST_FIRST.indexOf('off');
  return Math.min(
    ...DNS_QUESTIONS.map((question) => WORST_FIRST.indexOf(check.findings[question].state)),
  );
}
