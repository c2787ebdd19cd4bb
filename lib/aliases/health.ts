/** What is to be said of an alias: whether its mail arrives, and whether it takes somebody else's. */
import { kindOfName, splitAddress } from './address.js';
import { complete, lookUp, resolve, type Resolution, type World } from './resolve.js';
import type { Alias } from './schema.js';
import type { AliasState } from './states.js';

export interface Health {
  readonly state: AliasState;
  /** Targets that lead nowhere. */
  readonly dead: readonly string[];
  /** Targets that nobody has, and whose mail the mail admin gets. */
  readonly toAdmin: readonly string[];
  /** The user whose mailbox gets nothing any more. */
  readonly hidden: string | null;
  /** The way round, for a loop. */
  readonly circle: readonly string[];
}

/** Of an alias about which there is nothing to be said. */
export const NOTHING: Health = { state: 'fine', dead: [], toAdmin: [], hidden: null, circle: [] };

type Looked = Pick<Alias, 'name' | 'targets' | 'enabled'>;

/** Judges aliases together. `assumed` takes the place of what is saved, for an alias that is not saved yet. */
export async function healthOf(
  aliases: readonly Looked[],
  world: World,
): Promise<ReadonlyMap<string, Health>> {
  const starts = aliases.flatMap(({ name, targets }) => [
    ...(kindOfName(name) === 'catchAll' ? [] : [complete(name, world)]),
    ...targets.map((target) => complete(target, world)),
  ]);
  const known = await lookUp(starts, world);
  return new Map(aliases.map((alias) => [alias.name, judge(alias, known, world)]));
}

/** Names that one circle shows. */
const MAX_CIRCLE = 6;

/** Once round, with the name where it closes. */
function circleOf(steps: Resolution['steps']): readonly string[] {
  const names = steps.map(({ name }) => name);
  const end = names.findIndex((name, index) => names.indexOf(name) < index);
  const once = end < 0 ? names : names.slice(names.indexOf(names[end] ?? ''), end + 1);
  return once.slice(0, MAX_CIRCLE);
}

/** Ends at which there is nobody: their mail comes back, or goes to the mail admin where the settings say so. */
function nobody(ends: Resolution['ends'], world: World): Pick<Health, 'dead' | 'toAdmin'> {
  const names = ends.filter(({ ending }) => ending === 'unknown').map(({ address }) => address);
  return world.unknownToAdmin ? { dead: [], toAdmin: names } : { dead: names, toAdmin: [] };
}

/** A line of the system's own aliases file: whether it arrives, whatever ours say of its name. */
export function healthOfSystemAlias(name: string, world: World): Health {
  const { ends } = resolve(name, new Map(), world);
  const { dead, toAdmin } = nobody(ends, world);
  const state = dead.length === 0 ? 'fine' : dead.length === ends.length ? 'dead' : 'partly';
  return { ...NOTHING, state, dead, toAdmin };
}

function judge(
  { name, targets, enabled }: Looked,
  known: ReadonlyMap<string, readonly string[]>,
  world: World,
): Health {
  if (!enabled) return { ...NOTHING, state: 'off' };
  const { local, domain } = splitAddress(name);
  const perTarget = targets.map((target) => resolve(target, known, world));
  const whole = kindOfName(name) === 'catchAll' ? null : resolve(name, known, world);
  const circled = [...perTarget, ...(whole ? [whole] : [])].find(({ endless }) => endless);
  if (circled) {
    return { ...NOTHING, state: 'loop', circle: circleOf(circled.steps) };
  }
  const ends = whole?.ends ?? perTarget.flatMap((one) => one.ends);
  const { dead, toAdmin } = nobody(ends, world);
  const isHere = domain === null || world.isLocal(domain);
  const reached = ends.some(
    ({ address, ending }) => ending === 'mailbox' && splitAddress(address).local === local,
  );
  const hidden = isHere && world.users.has(local) && !reached ? local : null;
  const base = { dead, toAdmin, hidden, circle: [] };
  if (dead.length > 0) return { ...base, state: dead.length === ends.length ? 'dead' : 'partly' };
  if (!isHere) return { ...base, state: 'foreign' };
  return { ...base, state: hidden === null ? 'fine' : 'hides' };
}
