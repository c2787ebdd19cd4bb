/**
 * Sessions in the database, for express-session. The id is kept as its hash, reading writes nothing, and a session
 * that was ended stays ended even when a slower request wants to save it.
 */
import { createHash } from 'node:crypto';
import { Store, type SessionData } from 'express-session';
import type { Knex } from 'knex';

/** Unused for this long, a session ends. Typed forms survive it (see `sign-in/held-form.ts`). Milliseconds. */
export const IDLE_LIMIT_MS = 60 * 60 * 1000;
/** However busy, a session ends after this. Milliseconds. */
export const ABSOLUTE_LIMIT_MS = 12 * 60 * 60 * 1000;
/** How often a session in use is written down as such, at most. Milliseconds. */
export const TOUCH_INTERVAL_MS = 60 * 1000;
/** How often ended sessions are swept out, at most. Milliseconds. */
const SWEEP_INTERVAL_MS = 10 * 60 * 1000;

interface Row {
  id: string;
  account_id: string | null;
  data: SessionData;
  created_at: Date;
  seen_at: Date;
  expires_at: Date;
}

type Callback = (error?: unknown) => void;

/** What is stored under: the id itself never leaves the cookie. */
export function hashSessionId(sessionId: string): string {
  return createHash('sha256').update(sessionId).digest('hex');
}

export class SessionStore extends Store {
  readonly #db: Knex;
  readonly #now: () => Date;
  /** When sessions of running requests were last written down as in use. Saving one of these must not create it again. */
  readonly #seenAt = new WeakMap<object, Date>();
  #sweptAt = 0;

  constructor(db: Knex, now: () => Date = () => new Date()) {
    super();
    this.#db = db;
    this.#now = now;
  }

  override get(
    sessionId: string,
    callback: (error: unknown, session?: SessionData | null) => void,
  ): void {
    settle(this.#read(sessionId), callback);
  }

  /** Inflates what `get` read; called by express-session, which keeps the object for the whole request. */
  override createSession(
    ...parameters: Parameters<Store['createSession']>
  ): ReturnType<Store['createSession']> {
    const session = super.createSession(...parameters);
    this.#seenAt.set(session, this.#seenAt.get(parameters[1]) ?? this.#now());
    return session;
  }

  override set(sessionId: string, session: SessionData, callback: Callback = ignore): void {
    settle(this.#write(sessionId, session), callback);
  }

  override destroy(sessionId: string, callback: Callback = ignore): void {
    settle(this.#remove(sessionId), callback);
  }

  override touch(sessionId: string, session: SessionData, callback: Callback = ignore): void {
    const seenAt = this.#seenAt.get(session)?.getTime() ?? 0;
    if (this.#now().getTime() - seenAt < TOUCH_INTERVAL_MS) callback(null);
    else settle(this.#touch(sessionId), callback);
  }

  /** Ends all sessions of an account, but for one if named. */
  async endAll(accountId: string, db: Knex = this.#db, exceptSessionId?: string): Promise<void> {
    const query = db<Row>('console_sessions').where({ account_id: accountId });
    if (exceptSessionId !== undefined) void query.whereNot({ id: hashSessionId(exceptSessionId) });
    await query.delete();
  }

  #table() {
    return this.#db<Row>('console_sessions');
  }

  async #read(sessionId: string): Promise<SessionData | null> {
    const row = await this.#table()
      .where({ id: hashSessionId(sessionId) })
      .where('expires_at', '>', this.#now())
      .first();
    if (row === undefined) return null;
    this.#seenAt.set(row.data, row.seen_at);
    return row.data;
  }

  async #write(sessionId: string, session: SessionData): Promise<void> {
    const id = hashSessionId(sessionId);
    const now = this.#now();
    const data = JSON.stringify(session);
    if (this.#seenAt.has(session)) {
      await this.#table()
        .where({ id })
        .update({ data: this.#db.raw('?::jsonb', [data]) });
      return;
    }
    await this.#table()
      .insert({
        id,
        account_id: accountOf(session),
        data: this.#db.raw('?::jsonb', [data]),
        created_at: now,
        seen_at: now,
        expires_at: new Date(now.getTime() + IDLE_LIMIT_MS),
      })
      .onConflict('id')
      .merge(['account_id', 'data']);
    await this.#sweep(now);
  }

  async #touch(sessionId: string): Promise<void> {
    const now = this.#now();
    await this.#table()
      .where({ id: hashSessionId(sessionId) })
      .update({
        seen_at: now,
        expires_at: this.#db.raw('least(?::timestamptz, created_at + ?::interval)', [
          new Date(now.getTime() + IDLE_LIMIT_MS),
          `${String(ABSOLUTE_LIMIT_MS)} milliseconds`,
        ]),
      });
  }

  async #remove(sessionId: string): Promise<void> {
    await this.#table()
      .where({ id: hashSessionId(sessionId) })
      .delete();
  }

  async #sweep(now: Date): Promise<void> {
    if (now.getTime() - this.#sweptAt < SWEEP_INTERVAL_MS) return;
    this.#sweptAt = now.getTime();
    await this.#table().where('expires_at', '<=', now).delete();
  }
}

function ignore(): void {
  /* express-session passes a callback wherever the outcome matters */
}

function settle<T>(promise: PromiseLike<T>, callback: (error: unknown, result?: T) => void): void {
  promise.then(
    (result) => callback(null, result),
    (error: unknown) => callback(error),
  );
}

/** Passport keeps the account's id under `passport.user`. */
function accountOf(session: SessionData): string | null {
  return session.passport?.user ?? null;
}
