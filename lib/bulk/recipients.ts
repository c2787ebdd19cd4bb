/** Who gets a mailing, and who does not and why. */
import { addressKey, parseAddress, formatAddress } from '../aliases/address.js';
import { reachesNobody } from '../aliases/local.js';
import { lookUp, resolve, type Resolution, type World } from '../aliases/resolve.js';
import type { DirectoryGroup, DirectoryUser } from '../contract.js';
import { foldCase } from '../sections/fold-case.js';
import { isPlainAddress } from '../smarthost/address.js';

/** People whose aliases are looked up together: one look-up has a limit of its own. */
const AT_ONCE = 1_000;

export const LEFT_OUT_REASONS = [
  'excluded',
  'duplicate',
  'sameAddress',
  'leadsNowhere',
  'badAddress',
  'locked',
  'noMailbox',
  'system',
] as const;
export type LeftOutReason = (typeof LEFT_OUT_REASONS)[number];

export interface Person {
  readonly login: string;
  readonly name: string;
  /** '' where there is none. */
  readonly address: string;
}

export interface LeftOut extends Person {
  readonly reason: LeftOutReason;
  /** Who gets it in their place, where it is a duplicate. */
  readonly detail: string;
}

export interface Chosen {
  readonly people: readonly Person[];
  readonly leftOut: readonly LeftOut[];
}

/** A name of the form: a group, or a person. */
export interface Wanted {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

/** Names that are neither groups nor logins. */
export function unknownNames(
  names: readonly string[],
  users: readonly DirectoryUser[],
  groups: readonly DirectoryGroup[],
): readonly string[] {
  const known = new Set([...users.map(({ login }) => login), ...groups.map(({ name }) => name)]);
  return names.filter((name) => !known.has(name));
}

/** Groups worth choosing: more than the private one that every person has (useradd(8), USERGROUPS_ENAB). */
export function choosableGroups(
  users: readonly DirectoryUser[],
  groups: readonly DirectoryGroup[],
): readonly { readonly name: string; readonly people: number }[] {
  const members = new Map<string, string[]>();
  for (const user of users.filter(isPerson)) {
    for (const group of user.groups) {
      const known = members.get(group);
      if (known) known.push(user.login);
      else members.set(group, [user.login]);
    }
  }
  return groups
    .map(({ name }) => ({ name, logins: members.get(name) ?? [] }))
    .filter(({ name, logins }) => logins.length > 1 || (logins.length === 1 && logins[0] !== name))
    .map(({ name, logins }) => ({ name, people: logins.length }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function isPerson({ system, locked, hasMailbox, addresses }: DirectoryUser): boolean {
  return !system && !locked && (hasMailbox || addresses.length > 0);
}

/** Everybody who is wanted and can get it, once, in the order of their logins. */
export async function chooseRecipients(
  users: readonly DirectoryUser[],
  { include, exclude }: Wanted,
  world: World,
): Promise<Chosen> {
  const leftOut: LeftOut[] = [];
  const people: Person[] = [];
  const addresses = new Map<string, string>();
  const sorted = [...users].sort((a, b) => (a.login < b.login ? -1 : 1));
  for (const user of sorted) {
    if (include.length > 0 && !isNamed(user, include)) continue;
    const person = personOf(user, world);
    const same = addresses.get(addressKey(person.address));
    const reason = isNamed(user, exclude) ? 'excluded' : faultOf(user, person);
    if (reason !== null) leftOut.push({ ...person, reason, detail: '' });
    else if (same !== undefined) leftOut.push({ ...person, reason: 'sameAddress', detail: same });
    else {
      addresses.set(addressKey(person.address), person.login);
      people.push(person);
    }
  }
  const once = await withoutDuplicates(people, world);
  return { people: once.people, leftOut: [...leftOut, ...once.leftOut] };
}

function isNamed({ login, groups }: DirectoryUser, names: readonly string[]): boolean {
  return names.includes(login) || groups.some((group) => names.includes(group));
}

/** The directory's own address, or the login at the home domain. */
function personOf({ login, name, addresses }: DirectoryUser, { home }: World): Person {
  const own = addresses.flatMap((address) => {
    const parsed = parseAddress(address);
    return parsed?.domain ? [formatAddress(parsed)] : [];
  });
  const address = own[0] ?? (home === '' ? '' : `${login}@${home}`);
  return { login, name: name === '' ? login : name, address };
}

function faultOf(user: DirectoryUser, { address }: Person): LeftOutReason | null {
  if (user.system) return 'system';
  if (user.locked) return 'locked';
  if (!user.hasMailbox && user.addresses.length === 0) return 'noMailbox';
  return isPlainAddress(address) ? null : 'badAddress';
}

interface Ended {
  readonly person: Person;
  readonly ends: readonly string[];
}

/**
 * Somebody whose mail goes only to mailboxes that get it anyway would make somebody else read it twice. Those whose mail
 * reaches a mailbox of their own come first.
 */
async function withoutDuplicates(people: readonly Person[], world: World): Promise<Chosen> {
  const own: Ended[] = [];
  const elsewhere: Ended[] = [];
  const leftOut: LeftOut[] = [];
  for (let at = 0; at < people.length; at += AT_ONCE) {
    const some = people.slice(at, at + AT_ONCE);
    const known = await lookUp(
      some.map(({ address }) => address),
      world,
    );
    for (const person of some) {
      const found = resolve(person.address, known, world);
      const ends = endsOf(found);
      if (ends.length === 0) leftOut.push({ ...person, reason: 'leadsNowhere', detail: '' });
      else if (ends.includes(mailboxKey(person.login))) own.push({ person, ends });
      else elsewhere.push({ person, ends });
    }
  }
  const reached = new Map(own.flatMap(({ person, ends }) => ends.map((end) => [end, person])));
  const kept = own.map(({ person }) => person);
  for (const { person, ends } of elsewhere) {
    const [first] = ends;
    if (ends.every((end) => reached.has(end))) {
      const detail = reached.get(first ?? '')?.login ?? '';
      leftOut.push({ ...person, reason: 'duplicate', detail });
    } else {
      kept.push(person);
      for (const end of ends) reached.set(end, person);
    }
  }
  return { people: kept.sort((a, b) => (a.login < b.login ? -1 : 1)), leftOut };
}

/** Where mail really arrives: mailboxes by login, anything else by its address. */
function endsOf({ ends, endless }: Resolution): readonly string[] {
  if (endless) return [];
  return ends
    .filter((end) => !reachesNobody(end))
    .map(({ address, ending }) => {
      const at = address.lastIndexOf('@');
      return ending === 'mailbox' ? mailboxKey(address.slice(0, at < 0 ? undefined : at)) : address;
    });
}

function mailboxKey(login: string): string {
  return `mailbox ${foldCase(login)}`;
}

/** Whether mail to this address arrives anywhere. */
export async function leadsSomewhere(address: string, world: World): Promise<boolean> {
  return endsOf(resolve(address, await lookUp([address], world), world)).length > 0;
}
