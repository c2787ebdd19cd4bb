import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { promisify } from 'node:util';
import type { Request } from 'express';
import type { SessionData } from 'express-session';
import type { Knex } from 'knex';
import {
  ABSOLUTE_LIMIT_MS,
  hashSessionId,
  IDLE_LIMIT_MS,
  SessionStore,
  TOUCH_INTERVAL_MS,
} from '../../lib/console/sessions/store.js';
import { startTestConsole, type TestConsole } from '../support/test-console.js';

const START = Date.parse('2026-11-23T08:00:00Z');

describe('sessions', () => {
  let test: TestConsole;
  let db: Knex;
  let now = START;
  let store: SessionStore;

  before(async () => {
    test = await startTestConsole();
    db = test.database.db;
  });
  after(() => test.close());
  beforeEach(async () => {
    await db('console_sessions').delete();
    now = START;
    store = new SessionStore(db, () => new Date(now));
  });

  const data = (user?: string): SessionData => ({
    cookie: { originalMaxAge: null },
    ...(user === undefined ? {} : { passport: { user } }),
  });
  const set = (id: string, session: SessionData) => promisify(store.set.bind(store))(id, session);
  const touch = (id: string, session: SessionData) =>
    promisify(store.touch.bind(store))(id, session);
  const get = (id: string) =>
    new Promise<SessionData | null>((resolve, reject) => {
      store.get(id, (error, session) => {
        if (error instanceof Error) reject(error);
        else resolve(session ?? null);
      });
    });
  /** As express-session does it: what a request works with is made from what was read. */
  const load = async (id: string) => {
    const read = await get(id);
    return read === null ? null : store.createSession({ sessionID: id } as Request, read);
  };
  const row = (id: string) =>
    db<{ id: string; seen_at: Date; expires_at: Date; account_id: string | null }>(
      'console_sessions',
    )
      .where({ id: hashSessionId(id) })
      .first();

  it('are kept under the hash of their id only', async () => {
    const browser = test.browser();
    await test.account('hash');
    const answer = await browser.signIn('hash');
    const cookie = decodeURIComponent(String(answer.headers['set-cookie']));
    const id = /console-[0-9a-f]{8}=s:([^.]+)\./.exec(cookie)?.[1];
    assert.ok(id);
    const rows = await db('console_sessions').select();
    assert.equal(rows.length, 1);
    assert.equal((rows[0] as { id: string }).id, hashSessionId(id));
    assert.equal(JSON.stringify(rows).includes(id), false);
  });

  it('come in a cookie that scripts and other sites do not get', async () => {
    const browser = test.browser();
    await test.account('cookie');
    const answer = await browser.signIn('cookie');
    for (const cookie of answer.headers['set-cookie'] as unknown as string[]) {
      assert.match(cookie, /HttpOnly/);
      assert.match(cookie, /SameSite=Lax/);
      assert.match(cookie, /Path=\//);
    }
  });

  it('make no row for guests', async () => {
    await test.browser().get('/login');
    await test.browser().get('/mail');
    assert.equal((await db('console_sessions').select()).length, 0);
  });

  it('are written down as in use at most once a minute', async () => {
    await set('a', data());
    const first = (await row('a'))?.expires_at.getTime();
    assert.equal(first, START + IDLE_LIMIT_MS);

    now = START + TOUCH_INTERVAL_MS - 1;
    await touch('a', (await load('a')) ?? data());
    assert.equal((await row('a'))?.expires_at.getTime(), first);

    now = START + TOUCH_INTERVAL_MS;
    await touch('a', (await load('a')) ?? data());
    assert.equal((await row('a'))?.expires_at.getTime(), now + IDLE_LIMIT_MS);
    assert.equal((await row('a'))?.seen_at.getTime(), now);
  });

  it('end when they are not used, and however busy after their absolute limit', async () => {
    await set('a', data());
    now = START + IDLE_LIMIT_MS - 1;
    assert.notEqual(await load('a'), null);
    now = START + IDLE_LIMIT_MS;
    assert.equal(await load('a'), null);

    now = START;
    await set('b', data());
    for (let minutes = 0; minutes <= ABSOLUTE_LIMIT_MS / 60_000; minutes += 30) {
      now = START + minutes * 60_000;
      const session = await load('b');
      if (session !== null) await touch('b', session);
    }
    assert.equal((await row('b'))?.expires_at.getTime(), START + ABSOLUTE_LIMIT_MS);
    now = START + ABSOLUTE_LIMIT_MS;
    assert.equal(await load('b'), null);
  });

  it('stay ended when a slower request saves or touches them', async () => {
    await set('a', data());
    const slow = await load('a');
    assert.ok(slow);
    await promisify(store.destroy.bind(store))('a');
    now += TOUCH_INTERVAL_MS;
    await touch('a', slow);
    await set('a', slow);
    assert.equal(await load('a'), null);
  });

  it('are swept out when they are over', async () => {
    await set('old', data());
    now = START + IDLE_LIMIT_MS + 1;
    await set('new', data());
    assert.equal(await row('old'), undefined);
    assert.notEqual(await row('new'), undefined);
  });

  it('of one account end together, but for the one that asked', async () => {
    const user = await test.account('many');
    await set('a', data(user));
    await set('b', data(user));
    await store.endAll(user, db, 'a');
    assert.notEqual(await load('a'), null);
    assert.equal(await load('b'), null);
    await store.endAll(user);
    assert.equal(await load('a'), null);
  });

  it('hand an error of the database on instead of hanging', async () => {
    await db.schema.renameTable('console_sessions', 'elsewhere');
    try {
      await assert.rejects(get('a'));
    } finally {
      await db.schema.renameTable('elsewhere', 'console_sessions');
    }
  });
});
