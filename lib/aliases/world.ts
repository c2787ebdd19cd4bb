/** What the pages know of the machine when they say where an alias leads. */
import { createHash } from 'node:crypto';
import type { Knex } from 'knex';
import type { BaseSettings } from '../base/schema.js';
import type { Helper } from '../client/helper.js';
import type { Directory, DirectoryUser, Log } from '../contract.js';
import { noHelper } from '../changes/failures.js';
import { HelperError } from '../errors.js';
import type { Look, Machine, MachineView } from '../machine/service.js';
import { KEPT_MS, lately } from '../lately.js';
import { isPerson } from '../person.js';
import { recipientsOf } from '../recipients/service.js';
import { foldCase } from '../sections/fold-case.js';
import { homeDomain, staticDestinations } from './home-domain.js';
import { parseAliasValue } from './local.js';
import { findTargets } from './store.js';
import type { World } from './resolve.js';

/** How old what the helper said may be, in milliseconds. */
const MACHINE_AGE_MS = 30_000;
const SYSTEM_AGE_MS = 10_000;
const TIMEOUT_MS = 5_000;

export interface SystemAlias {
  readonly name: string;
  readonly value: string;
}

export interface Worlds {
  /** The world as it is now; aliases are looked up in `db`. */
  now(db: Knex): Promise<World>;
  /** The same for pages, which do not wait for the helper: as it was a moment ago, while what is new is asked for. */
  lately(db: Knex): Promise<World>;
  /** The system's own aliases as they were a moment ago; the last known ones when the helper is away. */
  systemAliases(): Promise<readonly SystemAlias[]>;
  /** Whether their file was edited and Postfix does not know it yet, as of the last look. */
  systemUnread(): boolean;
  /** Has Postfix read their file; how many names it has then. Throws `HelperError`: it stays as it was. */
  readSystem(actor: string): Promise<number>;
  /** What is known of the machine, and why there is nothing newer. */
  machine(): Promise<Look>;
}

export interface WorldParts {
  readonly helper: Helper | null;
  readonly machine: Machine;
  readonly directory: Directory;
  readonly localDomains: (when: 'now' | 'lately') => Promise<readonly string[]>;
  readonly log: Log;
}

export function createWorlds(parts: WorldParts): Worlds {
  const { helper, machine, directory, localDomains, log } = parts;
  let known: {
    readonly entries: readonly SystemAlias[];
    readonly unread: boolean;
    readonly at: number;
  } = { entries: [], unread: false, at: -Infinity };
  let asking: Promise<readonly SystemAlias[]> | null = null;

  const ask = async (asked: Helper): Promise<readonly SystemAlias[]> => {
    try {
      const options = { actor: 'pages', timeoutMs: TIMEOUT_MS };
      const { entries, unread } = await asked.call('system-aliases', {}, options);
      known = { entries, unread, at: Date.now() };
    } catch (error) {
      if (!(error instanceof HelperError)) throw error;
      log.warn({ err: error }, 'the system’s own aliases could not be read');
      known = { ...known, at: Date.now() };
    }
    return known.entries;
  };

  const systemNow = async (): Promise<readonly SystemAlias[]> => {
    if (helper === null || Date.now() - known.at < SYSTEM_AGE_MS) return known.entries;
    asking ??= ask(helper).finally(() => (asking = null));
    return asking;
  };

  const systemLately = (): Promise<readonly SystemAlias[]> => {
    const asked = systemNow();
    return Date.now() - known.at > KEPT_MS ? asked : lately(asked, known.entries);
  };

  const worldOf = async (db: Knex, when: 'now' | 'lately'): Promise<World> => {
    const [{ view }, names, users, system] = await Promise.all([
      when === 'now' ? machine.look(MACHINE_AGE_MS) : machine.glance(MACHINE_AGE_MS),
      localDomains(when),
      directory.users(),
      when === 'now' ? systemNow() : systemLately(),
    ]);
    const effective = view?.effective ?? {};
    const parameter = (name: string): string => effective[name] ?? '';
    const local = new Set([...names, ...staticDestinations({ parameter })]);
    const here = users.filter((user) => directory.kind === 'nss' || user.hasMailbox);
    return {
      isLocal: (domain) => local.has(domain),
      delimiters: parameter('recipient_delimiter'),
      home: homeDomain({ domains: { names } }, { parameter, isSet: () => true }, null),
      users: new Set(here.map(({ login }) => foldCase(login))),
      people: new Set(here.filter(isPerson).map(({ login }) => foldCase(login))),
      addresses: new Set(furtherAddresses(here, directory, view)),
      domains: [...local].filter((name) => name !== '').sort(),
      unknownToAdmin: unknownToAdmin(view),
      system: parseSystem(system),
      aliases: aliasesIn(db),
    };
  };

  return {
    systemAliases: systemLately,
    systemUnread: () => known.unread,
    readSystem: async (actor) => {
      if (helper === null) throw noHelper();
      const { count } = await helper.call('system-aliases-read', {}, { actor });
      known = { ...known, at: -Infinity };
      await ask(helper);
      return count;
    },
    machine: () => machine.glance(MACHINE_AGE_MS),
    now: (db) => worldOf(db, 'now'),
    lately: (db) => worldOf(db, 'lately'),
  };
}

/** The first line of a name counts (postalias(1) warns of the others). */
function parseSystem(entries: readonly SystemAlias[]): World['system'] {
  const parsed = new Map<string, ReturnType<typeof parseAliasValue>>();
  for (const { name, value } of entries) {
    if (!parsed.has(name)) parsed.set(name, parseAliasValue(value));
  }
  return parsed;
}

/** Only where a table follows the directory are they known, and only an LMTP server knows whose they are. */
function furtherAddresses(
  users: readonly DirectoryUser[],
  { kind }: Directory,
  view: MachineView | null,
): readonly string[] {
  const base = view?.sections['base']?.settings as Partial<BaseSettings> | undefined;
  if (kind === 'nss' || base?.delivery !== 'lmtp') return [];
  return [...recipientsOf(users).keys()].filter((name) => name.includes('@'));
}

function unknownToAdmin(view: MachineView | null): boolean {
  const base = view?.sections['base']?.settings as Partial<BaseSettings> | undefined;
  return base?.unknownRecipient === 'admin';
}

/** What all of an alias' states depend on besides the aliases themselves. */
export function fingerprintOf(world: World): string {
  const { domains, delimiters, home, users, addresses, system, unknownToAdmin: toAdmin } = world;
  const people = [[...users].sort(), [...addresses].sort()];
  const parts = [domains, delimiters, home, people, [...system], toAdmin];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

/** Looks aliases up in a database, or in a transaction of it. */
export function aliasesIn(db: Knex): World['aliases'] {
  return (names) => findTargets(db, names);
}
