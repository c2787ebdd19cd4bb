/** “Where would mail to X go?”: by the running Postfix, by the settings, and whether these two agree. */
import type { Knex } from 'knex';
import { addressKey, formatAddress, parseAddress, splitAddress } from '../aliases/address.js';
import type { End } from '../aliases/local.js';
import { complete, lookUp, resolve, type Resolution } from '../aliases/resolve.js';
import type { Worlds } from '../aliases/world.js';
import type { Helper } from '../client/helper.js';
import { noHelper } from '../changes/failures.js';
import { HelperError, UserError } from '../errors.js';
import { foldCase } from '../sections/fold-case.js';
import type { ResultOf } from '../privileged/actions/index.js';
import { nextHop } from '../smarthost/schema.js';
import { readSmarthost } from '../smarthost/source.js';
import type { RouteReport } from './schema.js';

/** How long a page waits for Postfix' tables, in milliseconds. */
const ASK_TIMEOUT_MS = 15_000;

export type Traced = ResultOf<'route'>;

export interface RouteLook {
  /** With its domain. */
  readonly address: string;
  readonly settings: Resolution;
  /** What the running Postfix' tables say; null when the helper could not be asked. */
  readonly tables: Traced | null;
  readonly failure: HelperError | null;
  /** Where the saved settings send mail for outside, as Postfix names it; '' straight there, null when nothing is saved. */
  readonly smarthost: string | null;
  /** Null when there is nothing to compare. */
  readonly agree: boolean | null;
  /** The system's own aliases were edited and Postfix does not know it yet. */
  readonly unread: boolean;
}

export interface RouteService {
  /** `typed` is an address, or a name of this machine. Throws `UserError` at the field `address`. */
  look(typed: string, actor: string): Promise<RouteLook>;
  /** Postfix' own report. Throws `UserError`, `HelperError`. */
  report(typed: string, actor: string): Promise<RouteReport>;
}

export function createRouteService({
  db,
  helper,
  worlds,
}: {
  readonly db: Knex;
  readonly helper: Helper | null;
  readonly worlds: Worlds;
}): RouteService {
  const addressOf = async (typed: string) => {
    const world = await worlds.now(db);
    const parsed = parseAddress(typed);
    if (!parsed) throw wrong('route.problem.address', typed);
    const address = complete(formatAddress(parsed), world);
    if (!address.includes('@')) throw wrong('route.problem.noDomain', typed);
    return { address, world };
  };

  return {
    look: async (typed, actor) => {
      const { address, world } = await addressOf(typed);
      const known = await lookUp([address], world);
      const settings = resolve(address, known, world);
      const saved = (await readSmarthost(db))?.settings ?? null;
      const smarthost = saved === null ? null : saved.host === '' ? '' : nextHop(saved);
      const found = { address, settings, smarthost, unread: worlds.systemUnread() };
      try {
        if (helper === null) throw noHelper();
        const tables = await helper.call(
          'route',
          { address },
          { actor, timeoutMs: ASK_TIMEOUT_MS },
        );
        const agree =
          agreeing(settings, { ...tables, ends: tables.unforwarded }) &&
          sameWayOut(smarthost, tables);
        return { ...found, tables, failure: null, agree };
      } catch (error) {
        if (!(error instanceof HelperError)) throw error;
        return { ...found, tables: null, failure: error, agree: null };
      }
    },
    report: async (typed, actor) => {
      const { address } = await addressOf(typed);
      if (helper === null) throw noHelper();
      return helper.call('route-report', { address }, { actor });
    },
  };
}

/** Whether both lead to the same ends. In which local domain a mailbox is named makes no difference to the mail. */
export function agreeing(
  settings: Pick<Resolution, 'ends' | 'endless'>,
  tables: { readonly ends: readonly End[]; readonly endless: boolean },
): boolean {
  if (settings.endless || tables.endless) return settings.endless === tables.endless;
  const left = keysOf(settings.ends);
  const right = keysOf(tables.ends);
  return left.size === right.size && [...left].every((key) => right.has(key));
}

/** Whether mail for outside takes the way that was saved, as far as the smarthost decides it. */
export function sameWayOut(smarthost: string | null, { ends }: Pick<Traced, 'ends'>): boolean {
  return (
    smarthost === null ||
    ends.every(({ way, to }) =>
      way === 'smarthost' ? hopKey(to) === hopKey(smarthost) : way !== 'mx' || smarthost === '',
    )
  );
}

/** What is the same server to Postfix has the same key. */
function hopKey(hop: string): string {
  return foldCase(hop).replace(/:(?:25|smtp)$/, '');
}

function keysOf(ends: readonly End[]): ReadonlySet<string> {
  return new Set(
    ends.map(({ address, ending }) => {
      const inside = ending === 'mailbox' || ending === 'unknown' || ending === 'circle';
      return `${ending} ${inside ? foldCase(splitAddress(address).local) : addressKey(address)}`;
    }),
  );
}

function wrong(key: string, typed: string): UserError {
  return new UserError({ key, values: { value: typed.slice(0, 80) }, field: 'address' });
}
