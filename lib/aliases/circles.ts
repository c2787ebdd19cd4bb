/**
 * Whether any of very many aliases may turn in a circle. All of them together are one graph, through which each address
 * goes once; asked one by one, a thousand aliases of one list of 500 people would be half a million ways.
 */
import { addressKey, kindOfName } from './address.js';
import { complete, decide, keysOf, LIMIT, type World } from './resolve.js';
import type { Alias } from './schema.js';

/** Aliases that are put into the graph together. */
const AT_ONCE = 500;
/** Keys that are asked for in one question. */
const KEYS_AT_ONCE = 5_000;
/** Addresses of the graph that are remembered from one batch to the next. */
const MAX_REMEMBERED = 50_000;

/** How far it goes on from an address: ends it has, and expansions to the furthest; null while it is on its way. */
interface Reach {
  readonly ends: number;
  readonly steps: number;
}

/** Where the search stands at an address: what its results are, and which of them comes next. */
interface Place {
  readonly key: string;
  readonly next: readonly string[];
  at: number;
  readonly staying: number;
}

type Judged = Pick<Alias, 'name' | 'targets' | 'enabled'>;

/**
 * Those of these aliases that lead into a circle, further than Postfix follows, or to more recipients than it takes, in
 * their order. One of them may be fine all the same: an alias may name itself. Those that are left out are.
 */
export async function* mayTurn(
  aliases: readonly Judged[],
  world: World,
): AsyncIterable<readonly Judged[]> {
  let graph = createGraph(world);
  for (let at = 0; at < aliases.length; at += AT_ONCE) {
    if (graph.size() > MAX_REMEMBERED) graph = createGraph(world);
    const batch = aliases.slice(at, at + AT_ONCE).filter(({ enabled }) => enabled);
    const starts = new Map(batch.map((alias) => [alias, startsOf(alias)]));
    await graph.learn([...starts.values()].flat());
    const found = batch.filter((alias) =>
      starts.get(alias)?.some((address) => graph.isEndless(address)),
    );
    if (found.length > 0) yield found;
  }
}

function startsOf({ name, targets }: Judged): readonly string[] {
  return kindOfName(name) === 'catchAll' ? targets : [name, ...targets];
}

function createGraph(world: World) {
  const known = new Map<string, readonly string[]>();
  const asked = new Set<string>();
  const reached = new Map<string, Reach | null>();

  /** Reads all that the way of these addresses can touch. */
  const learn = async (addresses: readonly string[]): Promise<void> => {
    let open = addresses.map((address) => complete(address, world));
    while (open.length > 0) {
      const keys = new Set(open.flatMap((address) => keysOf(address, world).map(({ key }) => key)));
      const fresh = [...keys].filter((key) => !asked.has(key));
      open = [];
      for (let at = 0; at < fresh.length; at += KEYS_AT_ONCE) {
        const some = fresh.slice(at, at + KEYS_AT_ONCE);
        for (const key of some) asked.add(key);
        for (const [name, targets] of await world.aliases(some)) {
          known.set(name, targets);
          for (const target of targets) open.push(complete(target, world));
        }
      }
    }
  };

  /** Depth first, without recursion: a chain may have a thousand links. */
  const reachOf = (start: string): Reach => {
    const way: Place[] = [];
    const enter = (address: string): void => {
      const key = addressKey(address);
      if (reached.has(key)) return;
      reached.set(key, null);
      const results = decide(address, known, world)?.results ?? [];
      const next = results.filter((result) => addressKey(result) !== key);
      // A result that is the address itself stays where it is.
      way.push({ key, next, at: 0, staying: next.length < results.length ? 1 : 0 });
    };
    enter(start);
    for (let place = way.at(-1); place; place = way.at(-1)) {
      const result = place.next[place.at];
      place.at += 1;
      if (way.length > LIMIT) {
        // An extension that is added each time round never comes by where it was.
        for (const { key } of way.splice(0)) reached.set(key, ENDLESS);
      } else if (result === undefined) {
        const reaches = place.next.map((each) => reached.get(addressKey(each)));
        reached.set(place.key, sum(reaches, place.staying));
        way.pop();
      } else {
        enter(result);
      }
    }
    return reached.get(addressKey(start)) ?? ENDLESS;
  };

  const isEndless = (address: string): boolean => {
    const { ends, steps } = reachOf(complete(address, world));
    return ends > LIMIT || steps >= LIMIT;
  };

  return { learn, isEndless, size: () => asked.size };
}

const ENDLESS: Reach = { ends: Infinity, steps: Infinity };

/** What is still on its way when it is met again closes a circle. */
function sum(reaches: readonly (Reach | null | undefined)[], staying: number): Reach {
  let [ends, steps] = [staying, 0];
  for (const reach of reaches) {
    if (!reach) return ENDLESS;
    ends += reach.ends;
    steps = Math.max(steps, reach.steps);
  }
  return { ends: Math.max(ends, 1), steps: steps + 1 };
}
