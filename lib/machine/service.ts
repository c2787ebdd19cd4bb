/**
 * What the helper says of the machine, kept for a short while: pages show it, and go on showing it when the helper is away.
 */
import { noHelper } from '../changes/failures.js';
import type { Helper } from '../client/helper.js';
import type { Log } from '../contract.js';
import { HelperError } from '../errors.js';
import { KEPT_MS, lately } from '../lately.js';
import type { Unclear } from '../sections/section.js';

/** How long a page waits for the helper before it shows what was known before, in milliseconds. */
const LOOK_TIMEOUT_MS = 5_000;
/** A helper that was away is not asked again by every page, in milliseconds. */
const FAILURE_LIFETIME_MS = 1_000;

/** Nobody in particular looks: pages do. */
const ACTOR = 'pages';

/** What the present configuration means in one section's words. */
export interface SectionReading {
  readonly settings: unknown;
  /** What the section's form cannot express. */
  readonly unclear: readonly Unclear[];
  /** What was edited by hand since the helper wrote it, by name. */
  readonly edited: readonly string[];
  /** Whether the helper ever applied settings of this section. */
  readonly applied: boolean;
}

export interface MachineView {
  readonly at: Date;
  readonly postfix: {
    readonly installed: boolean;
    readonly running: boolean;
    readonly version: string;
  };
  /** What Postfix calls itself when no name is set. */
  readonly machineName: string;
  /** What it says in HELO. */
  readonly serverName: string;
  readonly sections: Readonly<Record<string, SectionReading>>;
  /** Room for mail in the queue, in bytes. */
  readonly queueFreeBytes: number;
  /** Effective `main.cf` parameters by name. */
  readonly effective: Readonly<Record<string, string>>;
}

export interface Look {
  /** The newest view there is; null when the helper never answered. */
  readonly view: MachineView | null;
  /** Why there is nothing newer; null when the view is as fresh as was asked for. */
  readonly failure: HelperError | null;
}

export interface Machine {
  /** A view at most `maxAgeMs` old, or the last one and the reason. Never throws a `HelperError`. */
  look(maxAgeMs: number): Promise<Look>;
  /**
   * The same for lists, which do not wait for the helper: when the view is older than that, it is shown once more while a
   * newer one is on its way. After `forget` it waits.
   */
  glance(maxAgeMs: number): Promise<Look>;
  /** Something was changed: the next look asks anew. */
  forget(): void;
  /** Starts Postfix when it is down. Throws `HelperError`. */
  start(actor: string): Promise<void>;
}

export function createMachine(
  helper: Helper | null,
  sections: readonly string[],
  { log, now = () => new Date() }: { readonly log: Log; readonly now?: () => Date },
): Machine {
  let view: MachineView | null = null;
  let fresh = false;
  let failure: { readonly error: HelperError; readonly at: Date } | null = null;
  let asking: Promise<Look> | null = null;
  let changes = 0;

  const ask = async (asked: Helper): Promise<Look> => {
    const options = { actor: ACTOR, timeoutMs: LOOK_TIMEOUT_MS };
    const before = changes;
    try {
      const [described, read] = await Promise.all([
        asked.call('describe', {}, options),
        asked.call('read', { sections }, options),
      ]);
      const { postfix, machineName } = described;
      const serverName = plainName(read.effective['myhostname']) ?? machineName;
      const seen: MachineView = { at: now(), postfix, machineName, serverName, ...read };
      // What was changed meanwhile may not show in it: it is not fresh, and must not take the place of what is.
      if (before === changes || !fresh) view = seen;
      if (before === changes) fresh = true;
      failure = null;
      return { view: seen, failure: null };
    } catch (error) {
      if (!(error instanceof HelperError)) throw error;
      if (failure === null) log.warn({ err: error }, 'the helper does not say how the machine is');
      failure = { error, at: now() };
      return { view, failure: error };
    }
  };

  const ageOf = (seen: MachineView): number => now().getTime() - seen.at.getTime();

  const look = async (maxAgeMs: number): Promise<Look> => {
    if (helper === null) return { view: null, failure: noHelper() };
    if (view !== null && fresh && ageOf(view) <= maxAgeMs) return { view, failure: null };
    if (failure !== null && now().getTime() - failure.at.getTime() < FAILURE_LIFETIME_MS) {
      return { view, failure: failure.error };
    }
    if (asking !== null) return asking;
    const asked = ask(helper).finally(() => {
      if (asking === asked) asking = null;
    });
    asking = asked;
    return asked;
  };

  const forget = (): void => {
    changes += 1;
    fresh = false;
    asking = null;
    failure = null;
  };

  return {
    look,
    async glance(maxAgeMs) {
      const looked = look(maxAgeMs);
      if (view === null || !fresh || ageOf(view) > KEPT_MS) return looked;
      const last: Look = { view, failure: failure?.error ?? null };
      return lately(looked, last);
    },
    forget,
    async start(actor) {
      if (helper === null) throw noHelper();
      try {
        await helper.call('postfix-start', {}, { actor });
      } finally {
        forget();
      }
    },
  };
}

/** A name that is made of other parameters cannot be told from here. */
function plainName(name: string | undefined): string | null {
  return name === undefined || name === '' || name.includes('$') ? null : name.toLowerCase();
}
