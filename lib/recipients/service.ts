/**
 * Has Postfix' table of recipients follow a console's own directory: at the start, when the directory says that it has
 * changed, and now and then. Each time one change, which stands in the history like any other.
 */
import { randomUUID } from 'node:crypto';
import type { Knex } from 'knex';
import { addressKey, parseAddress, formatAddress, splitAddress } from '../aliases/address.js';
import type { Intent } from '../changes/change.js';
import type { Changes } from '../changes/service.js';
import type { Directory, DirectoryUser, Log } from '../contract.js';
import { keepLease, releaseLease, takeLease } from '../database/lease.js';
import { foldCase } from '../sections/fold-case.js';
import type { Words } from '../words.js';
import { isLogin } from './schema.js';
import { readRecipients, replaceRecipients, type RecipientRow, type Recipients } from './store.js';

/** Whom history and audit log name. */
const ACTOR = 'directory';
const LEASE = 'recipients';

/** Between two looks at a directory that has told nothing, in milliseconds. */
const LOOK_EVERY_MS = 5 * 60_000;
/** After a refused change: each one stands in the history. Doubled each time up to the limit. Milliseconds. */
const TRY_AGAIN_MS = 60_000;
const TRY_AGAIN_LIMIT_MS = 60 * 60_000;

/** An answer with so many people less than the one before, and with more than this share of them, is kept back. */
const MANY_GONE = 5;
const SHARE_GONE = 0.2;
/** It is believed when the directory has said so for this long, in milliseconds: one that is half up is up by then. */
export const BELIEVED_AFTER_MS = 60 * 60_000;

/** People of whom the directory says nothing any more, and whose mail is still taken. */
export interface RecipientsTrouble extends Words {
  readonly severity: 'warn';
  /** Where to look, below the mount point. */
  readonly remedy: string;
}

/** Since when the directory has named so many people less, and at no time more. */
interface Doubt {
  readonly since: number;
  readonly gone: number;
  readonly before: number;
}

export interface RecipientsService {
  start(): void;
  /** Something may have changed. Never throws. */
  look(): Promise<void>;
  /** What the overview should tell. */
  troubles(): readonly RecipientsTrouble[];
  close(): Promise<void>;
}

export interface RecipientsParts {
  readonly db: Knex;
  readonly changes: Pick<Changes, 'save'>;
  readonly directory: Pick<Directory, 'kind' | 'users' | 'onChange'>;
  readonly log: Log;
  /** Without a helper nothing follows. */
  readonly reachable: () => Promise<boolean>;
  readonly now?: () => number;
}

export function createRecipientsService(parts: RecipientsParts): RecipientsService {
  const { db, changes, directory, log, reachable, now = Date.now } = parts;
  const holder = randomUUID();
  let timer: NodeJS.Timeout | undefined;
  let stopListening: (() => void) | null = null;
  let closed = false;
  let running: Promise<void> | null = null;
  let again = false;
  let pause = TRY_AGAIN_MS;
  let doubt: Doubt | null = null;

  const lookIn = (ms: number): void => {
    clearTimeout(timer);
    if (!closed) timer = setTimeout(() => void look(), ms).unref();
  };

  const follow = async (): Promise<void> => {
    const rows = await readRecipients(db);
    const wanted = directory.kind === 'nss' ? new Map<string, string>() : await wantedNow(rows);
    if (wanted === null || isSame(rows, wanted)) return;
    if (!(await reachable())) return;
    await changes.save(intentOf(wanted));
  };

  /**
   * Null when the directory names nobody: it is more likely broken than empty, and all mail would be refused. One that
   * names much fewer people than before may be half up: who came is added, and who is missing stays until it is believed.
   */
  const wantedNow = async (rows: readonly RecipientRow[]): Promise<Recipients | null> => {
    const users = await directory.users().catch((error: unknown) => {
      doubt = null;
      throw error;
    });
    const wanted = recipientsOf(users);
    if (wanted.size === 0) {
      doubt = null;
      log.warn({}, 'the directory names nobody with a mailbox; the recipients stay as they are');
      return null;
    }
    const logins = new Set(wanted.values());
    const known = new Set(rows.map(({ login }) => login));
    const gone = [...known].filter((login) => !logins.has(login)).length;
    if (gone < MANY_GONE || gone <= known.size * SHARE_GONE) {
      doubt = null;
      return wanted;
    }
    const since = doubt !== null && gone <= doubt.gone ? doubt.since : now();
    doubt = { since, gone, before: known.size };
    if (now() - doubt.since >= BELIEVED_AFTER_MS) {
      doubt = null;
      return wanted;
    }
    log.warn({ gone, before: known.size }, 'the directory names much fewer people than before');
    const missing = rows.filter(({ login }) => !logins.has(login));
    return new Map([...missing.map(({ name, login }) => [name, login] as const), ...wanted]);
  };

  const pass = async (): Promise<void> => {
    if (!(await takeLease(db, LEASE, holder))) return;
    const letLapse = keepLease(db, LEASE, holder, log);
    try {
      await follow();
    } finally {
      letLapse();
      await releaseLease(db, LEASE, holder);
    }
  };

  const run = async (): Promise<void> => {
    do {
      again = false;
      try {
        await pass();
        pause = TRY_AGAIN_MS;
        lookIn(LOOK_EVERY_MS);
      } catch (error) {
        log.warn({ err: error }, 'the recipients could not follow the directory');
        lookIn(pause);
        pause = Math.min(2 * pause, TRY_AGAIN_LIMIT_MS);
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

  return {
    look,
    troubles: () => {
      if (doubt === null) return [];
      const { since, gone, before } = doubt;
      const minutes = Math.max(1, Math.ceil((since + BELIEVED_AFTER_MS - now()) / 60_000));
      const values = { gone, before, minutes };
      return [{ severity: 'warn', key: 'recipients.trouble.fewer', values, remedy: '/history' }];
    },
    start() {
      stopListening = directory.onChange(() => void look());
      void look();
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      stopListening?.();
      await running;
    },
  };
}

/** Every name under which a user with a mailbox can be reached. A login goes before another one's address. */
export function recipientsOf(users: readonly DirectoryUser[]): Recipients {
  const people = users
    .filter(({ hasMailbox }) => hasMailbox)
    .map(({ login, addresses }) => ({ login: foldCase(login), addresses }))
    .filter(({ login }) => isLogin(login));
  const names = new Map<string, string>();
  for (const { login } of people) names.set(login, login);
  for (const { login, addresses } of people) {
    for (const address of addresses) {
      for (const name of namesOf(address)) if (!names.has(name)) names.set(name, login);
    }
  }
  return names;
}

function namesOf(typed: string): readonly string[] {
  const address = parseAddress(typed);
  if (!address || address.domain === null) return [];
  const whole = addressKey(formatAddress(address));
  return [whole, splitAddress(whole).local];
}

function isSame(rows: readonly RecipientRow[], wanted: Recipients): boolean {
  return rows.length === wanted.size && rows.every(({ name, login }) => wanted.get(name) === login);
}

function intentOf(wanted: Recipients): Intent {
  return {
    sections: ['recipients'],
    title: {
      key: wanted.size === 0 ? 'recipients.change.system' : 'recipients.change.followed',
      values: { count: new Set(wanted.values()).size },
    },
    actor: ACTOR,
    write: async (trx) => {
      const rows = await readRecipients(trx);
      const isKept = ({ name, login }: RecipientRow) => wanted.get(name) === login;
      const gone = rows.filter((row) => !isKept(row));
      const kept = new Set(rows.filter(isKept).map(({ name }) => name));
      const fresh = new Map([...wanted].filter(([name]) => !kept.has(name)));
      return replaceRecipients(trx, gone, fresh, ACTOR);
    },
  };
}
