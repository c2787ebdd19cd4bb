/** Who is refused: every list that can be believed is asked, and what lists the client is added up. */
import { isIP } from 'node:net';
import type { BlockListOrders } from '../policy/files.js';
import { PROBE_ADDRESS } from '../policy/places.js';
import { checkList, type ListState } from './check.js';
import type { Lookup } from './lookup.js';

/** How often every list is checked, in milliseconds; one that failed is looked at more often. */
const CHECK_EVERY_MS = 30 * 60 * 1000;
const CHECK_BAD_EVERY_MS = 5 * 60 * 1000;
/** What a list says against somebody counts only when it was checked since then, in milliseconds: a refusal is for good. */
const TRUSTED_MS = 60 * 1000;
/** A list that stays silent so many times in a row is not asked before the next check. */
const MAX_SILENCES = 5;

/** `waiting`: not checked yet. A list in any state but `good` is not asked. */
export interface ListReport {
  readonly zone: string;
  readonly state: ListState | 'waiting';
  readonly ipv6: boolean;
  /** Milliseconds since 1970; null before the first check. */
  readonly checkedAt: number | null;
}

interface Watched extends ListReport {
  readonly weight: number;
  silences: number;
}

export class Judge {
  readonly #lists: Map<string, Watched>;
  readonly #threshold: number;
  readonly #lookup: Lookup;
  readonly #now: () => number;
  /** Checks under way, by zone. */
  readonly #checking = new Map<string, Promise<void>>();

  constructor({ lists, threshold }: BlockListOrders, lookup: Lookup, now = Date.now) {
    this.#lists = new Map(
      lists.map(({ zone, weight }) => [
        zone,
        { zone, weight, state: 'waiting', ipv6: false, checkedAt: null, silences: 0 } as const,
      ]),
    );
    this.#threshold = threshold;
    this.#lookup = lookup;
    this.#now = now;
  }

  /** Checks every list whose turn it is. Never rejects. */
  async check(): Promise<void> {
    const due = [...this.#lists.values()].filter(({ state, checkedAt }) => {
      const every = state === 'good' ? CHECK_EVERY_MS : CHECK_BAD_EVERY_MS;
      return checkedAt === null || checkedAt + every <= this.#now();
    });
    await Promise.all(due.map(({ zone }) => this.#checkNow(zone)));
  }

  #checkNow(zone: string): Promise<void> {
    const begun = this.#checking.get(zone);
    if (begun) return begun;
    const check = checkList(this.#lookup, zone)
      .then((verdict) => {
        const list = this.#lists.get(zone);
        const checkedAt = this.#now();
        if (list) this.#lists.set(zone, { ...list, ...verdict, checkedAt, silences: 0 });
      })
      .finally(() => this.#checking.delete(zone));
    this.#checking.set(zone, check);
    return check;
  }

  /** The lists that have the client, when they weigh enough together; else none. */
  async refusing(address: string): Promise<readonly string[]> {
    const family = isIP(address);
    if (family === 0 || address === PROBE_ADDRESS) return [];
    const asked = [...this.#lists.values()].filter(
      ({ state, ipv6 }) => state === 'good' && (family === 4 || ipv6),
    );
    const answers = await Promise.all(
      asked.map(async (list) => ({ list, answer: await this.#lookup.ask(address, list.zone) })),
    );
    for (const { list, answer } of answers) this.#note(list, answer === 'silent');
    const hits = answers.filter(({ answer }) => answer === 'listed').map(({ list }) => list);
    if (!this.#isEnough(hits)) return [];
    const known = await this.#stillGood(hits, family);
    return this.#isEnough(known) ? known.map(({ zone }) => zone) : [];
  }

  #isEnough(hits: readonly Watched[]): boolean {
    return hits.reduce((sum, { weight }) => sum + weight, 0) >= this.#threshold;
  }

  /** A list may have begun to list everybody since it was checked. */
  async #stillGood(hits: readonly Watched[], family: number): Promise<readonly Watched[]> {
    const before = this.#now() - TRUSTED_MS;
    const old = hits.filter(({ checkedAt }) => checkedAt === null || checkedAt < before);
    await Promise.all(old.map(({ zone }) => this.#checkNow(zone)));
    return hits.filter(({ zone }) => {
      const now = this.#lists.get(zone);
      return now?.state === 'good' && (family === 4 || now.ipv6);
    });
  }

  reports(): readonly ListReport[] {
    return [...this.#lists.values()].map(({ zone, state, ipv6, checkedAt }) => ({
      ...{ zone, state, ipv6, checkedAt },
    }));
  }

  /** A list that went away must not cost every mail its time limit until the next check. */
  #note(list: Watched, silent: boolean): void {
    list.silences = silent ? list.silences + 1 : 0;
    if (list.silences < MAX_SILENCES || this.#lists.get(list.zone) !== list) return;
    const checkedAt = this.#now();
    this.#lists.set(list.zone, { ...list, state: 'silent', ipv6: false, checkedAt, silences: 0 });
  }
}
