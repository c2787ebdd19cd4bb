/**
 * Keeps the states of all aliases up to date, so that the list can be filtered and sorted by them and the overview can
 * tell of them: in the background, a few at a time, after whatever they depend on has changed.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Knex } from 'knex';
import type { Directory, Log } from '../contract.js';
import { releaseLease, takeLease } from '../database/lease.js';
import { healthOf } from './health.js';
import {
  beginSweep,
  countStates,
  doubtNames,
  readRankedAfter,
  readUnchecked,
  readWork,
  tidyIndexes,
  writeStates,
  type LookedState,
} from './index-store.js';
import { lostNames } from './protection.js';
import type { World } from './resolve.js';
import type { Alias } from './schema.js';
import { STATE_RANKS, type AliasState } from './states.js';
import type { Words } from '../words.js';
import { fingerprintOf, type Worlds } from './world.js';

/** Between two looks at what nobody tells of (domains, the system's own aliases), in milliseconds. */
const LOOK_EVERY_MS = 60_000;
/** Aliases that are judged together. */
const AT_ONCE = 250;
/** Pause between two batches, so that pages are answered meanwhile, in milliseconds. */
const PAUSE_MS = 15;
/** Users that came or went; for more, all aliases are looked at. */
const MANY_USERS = 100;
const LEASE = 'alias-states';
/** How long the overview waits for a look, in milliseconds. */
const PATIENCE_MS = 250;

/** Mail that is lost, or does not go where people expect it. */
export interface AliasTrouble extends Words {
  readonly severity: 'warn';
  /** Where it is put right, below the mount point. */
  readonly remedy: string;
}

export interface AliasWatch {
  start(): void;
  /** Something has changed. Never throws. */
  look(): Promise<void>;
  /** What the overview should tell, as far as it is known within a moment. */
  troubles(): Promise<readonly AliasTrouble[]>;
  close(): Promise<void>;
}

export function createAliasWatch({
  db,
  worlds,
  directory,
  log,
}: {
  readonly db: Knex;
  readonly worlds: Worlds;
  readonly directory: Pick<Directory, 'onChange'>;
  readonly log: Log;
}): AliasWatch {
  const holder = randomUUID();
  let timer: NodeJS.Timeout | undefined;
  let stopListening: (() => void) | null = null;
  let closed = false;
  let running: Promise<void> | null = null;
  let again = false;
  let last: World | null = null;

  /** Aliases whose state depends on what is other than before have to be looked at again. */
  const compare = async (world: World): Promise<void> => {
    const print = fingerprintOf(world);
    const { world: known } = await readWork(db);
    const before = last;
    last = world;
    if (known === print) return;
    const names = before && fingerprintOf(before) === known ? namesBetween(before, world) : null;
    if (names) await doubtNames(db, names, print);
    else await beginSweep(db, print);
  };

  const judge = async (
    aliases: readonly (Alias & { rank: number })[],
    world: World,
  ): Promise<readonly LookedState[]> => {
    const health = await healthOf(aliases, world);
    return aliases.flatMap(({ id, name, rank }) => {
      const state: AliasState = health.get(name)?.state ?? 'fine';
      return STATE_RANKS[state] === rank ? [] : [{ id, state }];
    });
  };

  const pass = async (): Promise<void> => {
    const world = await worlds.now(db);
    await compare(world);
    while (!closed) {
      if (!(await takeLease(db, LEASE, holder))) return;
      const work = await readWork(db);
      const { sweep } = work;
      // A look at all comes by the many that an import left behind; looking at them first would be looking twice.
      const few = sweep === null || (await countStates(db)).unchecked < AT_ONCE;
      const unchecked = few ? await readUnchecked(db, AT_ONCE) : [];
      if (unchecked.length > 0) {
        await writeStates(db, work, await judge(unchecked, world), sweep);
      } else {
        if (sweep === null) return;
        const page = await readRankedAfter(db, sweep, AT_ONCE);
        const end = page.length < AT_ONCE ? null : (page.at(-1)?.name ?? null);
        await writeStates(db, work, await judge(page, world), end);
        if (end === null) await tidyIndexes(db);
      }
      await sleep(PAUSE_MS);
    }
  };

  const run = async (): Promise<void> => {
    do {
      again = false;
      try {
        await pass();
      } catch (error) {
        log.warn({ err: error }, 'the states of the aliases could not be looked at');
      }
    } while (again && !closed);
  };

  const look = (): Promise<void> => {
    if (closed) return Promise.resolve();
    again = true;
    running ??= run().finally(() => {
      running = null;
    });
    return running;
  };

  const troubles = async (): Promise<readonly AliasTrouble[]> => {
    // Somebody who left a moment ago is noticed at once where there are few aliases, and soon where there are many.
    await Promise.race([look(), sleep(PATIENCE_MS)]);
    const { dead, partly, loop } = await countStates(db);
    const lost = await lostNames(await worlds.now(db));
    return [
      ...lost.map((name) => trouble('aliases.trouble.lost', { name }, `/route?address=${name}`)),
      ...(dead + partly === 0
        ? []
        : [trouble('aliases.trouble.dead', { count: dead + partly }, '/aliases?state=trouble')]),
      ...(loop === 0
        ? []
        : [trouble('aliases.trouble.loop', { count: loop }, '/aliases?state=loop')]),
    ];
  };

  return {
    look,
    troubles: () =>
      troubles().catch((error: unknown) => {
        log.warn({ err: error }, 'it cannot be told what is wrong with the aliases');
        return [];
      }),
    start() {
      stopListening = directory.onChange(() => void look());
      timer = setInterval(() => void look(), LOOK_EVERY_MS).unref();
      void look();
    },
    async close() {
      closed = true;
      clearInterval(timer);
      stopListening?.();
      await running;
      await releaseLease(db, LEASE, holder).catch(() => undefined);
    },
  };
}

function trouble(key: string, values: Words['values'], remedy: string): AliasTrouble {
  return { severity: 'warn', key, values, remedy };
}

/** The names to look at when nothing but a few users came or went; null when more than that is other. */
function namesBetween(before: World, after: World): readonly string[] | null {
  const sameUsers = { ...after, users: before.users };
  if (fingerprintOf(sameUsers) !== fingerprintOf(before)) return null;
  const logins = [
    ...[...before.users].filter((login) => !after.users.has(login)),
    ...[...after.users].filter((login) => !before.users.has(login)),
  ];
  if (logins.length > MANY_USERS) return null;
  return logins.flatMap((login) => [login, ...after.domains.map((domain) => `${login}@${domain}`)]);
}
