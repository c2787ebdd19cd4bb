/** The first steps of a new mail server: what is done and what is not, from facts alone. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Knex } from 'knex';
import type { Directory, Log } from '../contract.js';
import { isMailDomain, toAsciiDomain } from '../domains/schema.js';
import type { DomainsService } from '../domains/service.js';
import { isPerson } from '../person.js';
import type { SmarthostService } from '../smarthost/service.js';
import { clearMark, readMarks, setMark } from './store.js';

/** How long a page waits for the directory, which may lie beyond a network, in milliseconds. */
const DIRECTORY_WAIT_MS = 250;

export const STEPS = ['domain', 'users', 'smarthost', 'test'] as const;
export type StepId = (typeof STEPS)[number];

export interface Step {
  readonly id: StepId;
  /** Null when it is not known. */
  readonly done: boolean | null;
}

export interface Guide {
  readonly steps: readonly Step[];
  /** Every step is done: there is nothing to guide to any more. */
  readonly complete: boolean;
  readonly hidden: boolean;
  /** The first local domain that others can write to; '' without one. */
  readonly domain: string;
  /** People with a mailbox; null while nobody knows. */
  readonly people: number | null;
  /** '' when mail goes straight to its recipients. */
  readonly smarthost: string;
  readonly testedAt: Date | null;
}

export interface GuideService {
  look(): Promise<Guide>;
  hide(actor: string): Promise<void>;
  show(): Promise<void>;
  /** A test message was taken by its recipient's server; one to an own domain proves no way out, and does not count. */
  tested(recipient: string, actor: string): Promise<void>;
}

export interface GuideParts {
  readonly db: Knex;
  readonly log: Log;
  readonly directory: Pick<Directory, 'users'>;
  readonly domains: Pick<DomainsService, 'current'>;
  readonly smarthost: Pick<SmarthostService, 'current'>;
}

export function createGuide({ db, log, directory, domains, smarthost }: GuideParts): GuideService {
  let known: number | null = null;
  const people = async (): Promise<number | null> => {
    const counting = directory.users().then(
      (users) => {
        const real = users.filter((user) => isPerson(user) && !user.locked);
        known = real.length;
      },
      (error: unknown) => log.warn({ err: error }, 'the users could not be counted'),
    );
    await Promise.race([counting, sleep(DIRECTORY_WAIT_MS, undefined, { ref: false })]);
    return known;
  };

  return {
    async look() {
      const [marks, local, { settings }, count] = await Promise.all([
        readMarks(db),
        domains.current(),
        smarthost.current(),
        people(),
      ]);
      const testedAt = marks.get('tested') ?? null;
      const domain = local.domains.find(({ name }) => isMailDomain(name))?.name ?? '';
      const done: Readonly<Record<StepId, boolean | null>> = {
        domain: local.source === 'unknown' ? null : !local.onlyLocalhost,
        users: count === null ? null : count > 0,
        // Who needs none shows it by a message that arrived.
        smarthost: settings.host !== '' || testedAt !== null,
        test: testedAt !== null,
      };
      const steps = STEPS.map((id) => ({ id, done: done[id] }));
      return {
        steps,
        complete: steps.every((step) => step.done === true),
        hidden: marks.has('hidden'),
        domain,
        people: count,
        smarthost: settings.host,
        testedAt,
      };
    },
    hide: (actor) => setMark(db, 'hidden', actor),
    show: () => clearMark(db, 'hidden'),
    async tested(recipient, actor) {
      const domain = recipient.slice(recipient.lastIndexOf('@') + 1).toLowerCase();
      const { domains: own, others, machine } = await domains.current();
      const here = [...own.map(({ name }) => name), ...others, machine?.serverName];
      if (!here.includes(toAsciiDomain(domain) ?? domain)) await setMark(db, 'tested', actor);
    },
  };
}
