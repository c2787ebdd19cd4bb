/** What is to be said of an alias: whether its mail arrives, and whether it takes somebody else's. */
import { kindOfName, splitAddress } from './address.js';
import { namesOf } from './local.js';
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
  /** The loop is one of the system's own aliases: Postfix takes the mail, and sends it back. */
  readonly inSystem: boolean;
}

/** Of an alias about which there is nothing to be said. */
export const NOTHING: Health = {
  ...{ state: 'fine', dead: [], toAdmin: [], hidden: null, circle: [], inSystem: false },
};

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

/** A circle of the system's own aliases among these ends; null for none. */
function systemLoop(ends: Resolution['ends']): Health | null {
  const circle = ends.find(({ ending }) => ending === 'circle')?.circle;
  if (circle === undefined) return null;
  return { ...NOTHING, state: 'loop', circle: circle.slice(0, MAX_CIRCLE), inSystem: true };
}

function reachesMailbox(ends: Resolution['ends'], local: string, world: World): boolean {
  return ends.some(
    ({ address, ending }) =>
      ending === 'mailbox' &&
      namesOf(splitAddress(address).local, world.delimiters).includes(local),
  );
}

/**
 * A line of the system's own aliases file: whether it arrives, whatever ours say of its name, and whether it takes the mail
 * of a person, whose mailbox comes after it (local(8)).
 */
export function healthOfSystemAlias(name: string, world: World): Health {
  const { ends } = resolve(name, new Map(), world);
  const loop = systemLoop(ends);
  if (loop) return loop;
  const { dead, toAdmin } = nobody(ends, world);
  const hidden = world.people.has(name) && !reachesMailbox(ends, name, world) ? name : null;
  const base = { ...NOTHING, dead, toAdmin, hidden };
  if (dead.length > 0) return { ...base, state: dead.length === ends.length ? 'dead' : 'partly' };
  return { ...base, state: hidden === null ? 'fine' : 'hides' };
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
  const loop = systemLoop(ends);
  if (loop) return loop;
  const { dead, toAdmin } = nobody(ends, world);
  const isHere = domain === null || world.isLocal(domain);
  const hides = isHere && world.users.has(local) && !reachesMailbox(ends, local, world);
  const hidden = hides ? local : null;
  const base = { ...NOTHING, dead, toAdmin, hidden };
  if (dead.length > 0) return { ...base, state: dead.length === ends.length ? 'dead' : 'partly' };
  if (!isHere) return { ...base, state: 'foreign' };
  return { ...base, state: hidden === null ? 'fine' : 'hides' };
}
