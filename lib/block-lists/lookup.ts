/** Asks block lists through the machine's own resolver, and remembers for a while what they said. */
import { Resolver } from 'node:dns/promises';
import { meaningOf, nameOf, type Meaning } from './names.js';

/** How long a list may take to answer, in milliseconds; smtpd(8) waits for the slowest of them. */
const ANSWER_LIMIT_MS = 3_000;
/** So soon other servers in resolv.conf(5) are asked, in milliseconds. */
const RESOLVER_LIFETIME_MS = 30_000;
/** How long an answer holds, in milliseconds. */
const LIFETIME_MS = 5 * 60 * 1000;
/** Answers kept at most; then the oldest go. About 3 MB. */
const MAX_KEPT = 20_000;

export type Answer = Meaning | 'notListed' | 'silent';

export interface Lookup {
  /** What a list says of an address. Never rejects. */
  ask(address: string, zone: string): Promise<Answer>;
  /** As `ask`, whatever it said a moment ago. */
  askAnew(address: string, zone: string): Promise<Answer>;
}

/** The part of the DNS that is needed. */
export type AddressQueries = Pick<Resolver, 'resolve4'>;

/** A resolver knows the servers that were set when it was made: this one is made anew, and follows the machine's network. */
export function systemQueries(now: () => number = Date.now): AddressQueries {
  let made = now();
  let resolver = newResolver();
  return {
    resolve4: ((name: string) => {
      if (now() - made > RESOLVER_LIFETIME_MS) {
        made = now();
        resolver = newResolver();
      }
      return resolver.resolve4(name);
    }) as AddressQueries['resolve4'],
  };
}

function newResolver(): Resolver {
  return new Resolver({ timeout: ANSWER_LIMIT_MS, tries: 1 });
}

export function createLookup(dns: AddressQueries, now: () => number = Date.now): Lookup {
  const kept = new Map<string, { readonly answer: Answer; readonly until: number }>();
  const askAnew = async (address: string, zone: string): Promise<Answer> => {
    const name = nameOf(address, zone);
    const answer = await answerOf(dns, name);
    kept.delete(name);
    // That a list was silent once must not let its clients in for minutes.
    if (answer !== 'silent') kept.set(name, { answer, until: now() + LIFETIME_MS });
    for (const oldest of kept.keys()) {
      if (kept.size <= MAX_KEPT) break;
      kept.delete(oldest);
    }
    return answer;
  };
  return {
    askAnew,
    ask: async (address, zone) => {
      const known = kept.get(nameOf(address, zone));
      return known && known.until > now() ? known.answer : askAnew(address, zone);
    },
  };
}

async function answerOf(dns: AddressQueries, name: string): Promise<Answer> {
  try {
    const meanings = (await dns.resolve4(name)).map(meaningOf);
    return (
      (['listed', 'refused', 'foreign'] as const).find((one) => meanings.includes(one)) ??
      'notListed'
    );
  } catch (error) {
    const { code } = error as { code?: string };
    return code === 'ENOTFOUND' || code === 'ENODATA' ? 'notListed' : 'silent';
  }
}
