/**
 * Where an address leads through the aliases, as cleanup(8) finds it: which keys it asks for in which order, how results
 * are expanded again, and where that ends (virtual(5), ADDRESS_REWRITING_README). Pure once the aliases are looked up.
 */
import { foldCase } from '../sections/fold-case.js';
import { addressKey, splitAddress } from './address.js';
import { cutExtension, followLocal, type End, type LocalTarget } from './local.js';

/** Longest chain and most recipients Postfix follows before it takes no mail (virtual_alias_recursion_limit, _expansion_limit). */
export const LIMIT = 1_000;
/** Keys one look-up may need; beyond, the answer is left open rather than slow. */
const MAX_KEYS = 20_000;

/** What is known of the machine. */
export interface World {
  isLocal(domain: string): boolean;
  /** Every local domain. */
  readonly domains: readonly string[];
  /** Mail for nobody known goes to the mail admin instead of back. */
  readonly unknownToAdmin: boolean;
  /** Signs that begin an extension, as in `user+extension`; '' for none. */
  readonly delimiters: string;
  /** Domain of bare names; '' when no domain is local. */
  readonly home: string;
  /** Logins that have a mailbox. */
  readonly users: ReadonlySet<string>;
  /** Those of them that are people; mail of a service is always led to somebody else. */
  readonly people: ReadonlySet<string>;
  /** Further addresses of these, where they are reached by them: an LMTP server knows its users' addresses. */
  readonly addresses: ReadonlySet<string>;
  /** What the system's own aliases file says, by name. */
  readonly system: ReadonlyMap<string, readonly LocalTarget[]>;
  /** Aliases that are switched on, of these names. */
  aliases(names: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>>;
}

export type Rule = 'exact' | 'bare' | 'catchAll' | 'system';

export interface Step {
  readonly address: string;
  readonly rule: Rule;
  /** Name of the alias that decides. */
  readonly name: string;
  readonly results: readonly string[];
}

export interface Resolution {
  readonly steps: readonly Step[];
  readonly ends: readonly End[];
  /** Postfix takes no mail for the address: it turns in a circle, or has too many recipients. */
  readonly endless: boolean;
}

export type Known = ReadonlyMap<string, readonly string[]>;

/** All aliases that the way of these addresses can touch, a few questions for all of them together. */
export async function lookUp(addresses: readonly string[], world: World): Promise<Known> {
  const known = new Map<string, readonly string[]>();
  const asked = new Set<string>();
  let open = [...addresses];
  while (open.length > 0 && asked.size < MAX_KEYS) {
    const keys = new Set(open.flatMap((address) => keysOf(address, world).map(({ key }) => key)));
    const fresh = [...keys].filter((key) => !asked.has(key));
    if (fresh.length === 0) break;
    for (const key of fresh) asked.add(key);
    const found = await world.aliases(fresh);
    open = [];
    for (const [name, targets] of found) {
      known.set(name, targets);
      // An extension travels along, but a key without it is asked for as well, so it needs no look-up of its own.
      open.push(...targets.map((target) => complete(target, world)));
    }
  }
  return known;
}

/** A bare name is one of the home domain. */
export function complete(address: string, { home }: World): string {
  return address.includes('@') || home === '' ? address : `${address}@${home}`;
}

/** The name of the alias that takes each of these addresses first; those that none takes are left out. */
export async function decidersOf(
  addresses: readonly string[],
  world: World,
): Promise<ReadonlyMap<string, string>> {
  const whole = [...new Set(addresses.map((address) => complete(address, world)))];
  const keys = new Set(whole.flatMap((address) => keysOf(address, world).map(({ key }) => key)));
  const known = await world.aliases([...keys]);
  return new Map(
    whole.flatMap((address) => {
      const step = decide(address, known, world);
      return step === null ? [] : [[address, step.name] as const];
    }),
  );
}

/** Expands one address as Postfix does. */
export function resolve(address: string, known: Known, world: World): Resolution {
  const steps: Step[] = [];
  const queue = [complete(address, world)];
  const settled = new Set<string>();
  for (let index = 0; index < queue.length; index += 1) {
    if (queue.length > LIMIT) return { steps, ends: [], endless: true };
    for (let count = 0; ; count += 1) {
      const current = queue[index] ?? '';
      if (settled.has(addressKey(current))) break;
      if (count >= LIMIT) return { steps, ends: [], endless: true };
      const step = decide(current, known, world);
      if (step === null) break;
      if (count < 2 || steps.length < 50) steps.push(step);
      step.results.forEach((result, place) => {
        if (place === 0) queue[index] = result;
        else queue.push(result);
        if (addressKey(result) === addressKey(current)) settled.add(addressKey(current));
      });
    }
  }
  const unique = [...new Map(queue.map((end) => [addressKey(end), end])).values()];
  const followed = unique.map((end) => followEnd(end, world));
  const ends = new Map(
    followed.flatMap((one) => one.ends).map((end) => [addressKey(end.address), end]),
  );
  return {
    steps: distinct([...steps, ...followed.flatMap((one) => one.steps)]),
    ends: [...ends.values()],
    endless: false,
  };
}

/** What becomes of an address that no alias of ours leads on. */
function followEnd(address: string, world: World): Pick<Resolution, 'steps' | 'ends'> {
  const { domain } = splitAddress(address);
  if (domain === null && world.home === '')
    return { steps: [], ends: [{ address, ending: 'unknown' }] };
  if (world.addresses.has(addressKey(address))) {
    return { steps: [], ends: [{ address, ending: 'mailbox' }] };
  }
  const { steps, ends } = followLocal(address, {
    isLocal: (name) => world.isLocal(name),
    delimiters: world.delimiters,
    isUser: (name) => world.users.has(name),
    systemAlias: (name) => world.system.get(name),
  });
  return { steps: steps.map((step) => ({ ...step, rule: 'system' as const })), ends };
}

function distinct(steps: readonly Step[]): readonly Step[] {
  const seen = new Map(steps.map((step) => [`${step.address} ${step.name}`, step]));
  return [...seen.values()];
}

interface Key {
  readonly key: string;
  readonly rule: Rule;
  /** What has to be given on to the results, with its delimiter. */
  readonly extension: string;
}

/** In the order in which Postfix asks: user+ext@domain, user@domain, user+ext, user, @domain. */
export function keysOf(address: string, world: World): readonly Key[] {
  const { local, domain } = splitAddress(address);
  const folded = foldCase(local);
  const { user, extension } = cutExtension(folded, world.delimiters);
  if (domain === null) return [{ key: folded, rule: 'bare', extension: '' }];
  const locals = extension === '' ? [''] : ['', extension];
  const nameOf = (cut: string): string => (cut === '' ? folded : user);
  return [
    ...locals.map((cut) => ({
      key: `${nameOf(cut)}@${domain}`,
      rule: 'exact' as const,
      extension: cut,
    })),
    ...locals.map((cut) => ({ key: nameOf(cut), rule: 'bare' as const, extension: cut })),
    { key: `@${domain}`, rule: 'catchAll', extension: '' },
  ];
}

/** The rule that decides about an address; null when it stays what it is. */
export function decide(address: string, known: Known, world: World): Step | null {
  const { domain } = splitAddress(address);
  const keys = keysOf(address, world);
  const caught = domain !== null && known.has(`@${domain}`);
  // In a domain with a catch-all the recipient's names are all asked for before the domain, bare ones too.
  const order = caught
    ? [...keys].sort((left, right) => rankOf(left) - rankOf(right))
    : keys.filter(({ rule }) => rule !== 'bare' || domain === null || world.isLocal(domain));
  for (const { key, rule, extension } of order) {
    if (caught && rule === 'catchAll' && isRecipient(address, world)) return null;
    const targets = known.get(key);
    if (targets === undefined) {
      const isUser = rule === 'bare' && caught && extension !== '' && isKnownName(key, world);
      if (isUser) return null;
      continue;
    }
    const results = targets.map((target) => withExtension(complete(target, world), extension));
    return { address, rule, name: key, results };
  }
  return null;
}

/** Names with their extension first, exact ones before bare ones, the domain last. */
function rankOf({ rule, extension }: Key): number {
  if (rule === 'catchAll') return 4;
  return (extension === '' ? 0 : 2) + (rule === 'exact' ? 0 : 1);
}

function withExtension(address: string, extension: string): string {
  if (extension === '') return address;
  const at = address.lastIndexOf('@');
  return `${address.slice(0, at)}${extension}${address.slice(at)}`;
}

function isKnownName(name: string, { users, system }: World): boolean {
  return users.has(name) || system.has(name);
}

/** Whether mail for it stays, though the domain has a catch-all. */
function isRecipient(address: string, world: World): boolean {
  const local = foldCase(splitAddress(address).local);
  const { user } = cutExtension(local, world.delimiters);
  return (
    world.addresses.has(addressKey(address)) ||
    isKnownName(local, world) ||
    isKnownName(user, world)
  );
}
