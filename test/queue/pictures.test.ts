import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Helper } from '../../lib/client/helper.js';
import type { HelperCallOptions } from '../../lib/contract.js';
import { HelperError } from '../../lib/errors.js';
import { Picture } from '../../lib/queue/picture.js';
import {
  createPictures,
  FRESH_MS,
  HEAD_KEPT_MS,
  MEDIUM_QUEUE,
  type Look,
} from '../../lib/queue/pictures.js';
import { silentLog } from '../support/log.js';

const AWAY = {
  stage: 'connect',
  key: 'helper.connect.refused',
  values: {},
  detail: '',
  restored: true,
} as const;

/** A queue of so many messages, a clock that is set by hand, and a helper that can be slow or away. */
function setUp(size: number) {
  const state = { size, now: 1_000_000, listings: 0, away: false, slow: false, heads: 0, took: 0 };
  let release: () => void = () => undefined;
  const call = async (
    _action: string,
    { limit: most, wholeUpTo }: { limit: number | null; wholeUpTo: number },
    { onProgress }: HelperCallOptions,
  ): Promise<unknown> => {
    if (most === null) state.listings += 1;
    else state.heads += 1;
    const limit = state.size <= wholeUpTo ? null : most;
    state.now += state.took;
    if (state.away) throw new HelperError(AWAY);
    const picture = new Picture();
    const rows = Math.min(limit ?? Infinity, state.size);
    for (let at = 0; at < rows; at += 1) {
      const id = `ABCDEF${String(at).padStart(6, '0')}`;
      picture.add({
        ...{ id, queue: 'deferred', arrival: 1, created: 1, size: 1, sender: '', expired: false },
        ...{ nextTry: 0, recipients: [['a@b.example', '']], moreRecipients: 0 },
      });
    }
    await onProgress?.({ done: rows, total: null, row: picture.takePiece().toString('base64') });
    if (state.slow) await new Promise<void>((resolve) => (release = resolve));
    const counts = { maildrop: 0, incoming: 0, active: 0, hold: 0, corrupt: 0 };
    return {
      counts: { ...counts, deferred: state.size },
      ...{
        schedule: {},
        disk: {},
        unreadable: 0,
        leftOut: 0,
        cut: limit !== null && rows < state.size,
      },
    };
  };
  const pictures = createPictures({ call } as unknown as Helper, {
    log: silentLog,
    now: () => new Date(state.now),
  });
  return { state, pictures, release: () => release() };
}

function sizeOf(look: Look): number {
  assert.equal(look.kind, 'shot');
  return look.kind === 'shot' ? look.shot.picture.size : 0;
}

describe('the picture that pages share', () => {
  it('is taken at the first look, and shown again while it is fresh', async () => {
    const { state, pictures } = setUp(3);
    assert.equal(sizeOf(await pictures.look('anna')), 3);
    state.size = 5;
    state.now += FRESH_MS - 1;
    assert.equal(sizeOf(await pictures.look('ben')), 3);
    state.now += 1;
    assert.equal(sizeOf(await pictures.look('ben')), 5);
    assert.equal(state.listings, 2);
    pictures.close();
  });

  it('is one listing for all who ask at once', async () => {
    const { state, pictures } = setUp(3);
    await Promise.all([pictures.look('a'), pictures.look('b'), pictures.whole('c')]);
    assert.equal(state.listings, 1);
    pictures.close();
  });

  it('has its head already when somebody was told before that the queue is large', async () => {
    const { state, pictures } = setUp(MEDIUM_QUEUE + 1);
    pictures.foresee('anna');
    pictures.foresee('ben');
    assert.equal((await pictures.glance('anna')).kind, 'head');
    assert.equal(state.heads, 1);
    state.now += HEAD_KEPT_MS / 2;
    pictures.foresee('anna');
    await pictures.glance('anna');
    assert.equal(state.heads, 2);
    pictures.close();
  });

  it('has no head that was asked for before the queue was changed', async () => {
    const { state, pictures, release } = setUp(MEDIUM_QUEUE + 1);
    state.slow = true;
    pictures.foresee('anna');
    await new Promise(setImmediate);
    pictures.spoil();
    state.slow = false;
    const seen = await pictures.glance('anna');
    assert.equal(state.heads, 2);
    assert.equal(seen.kind, 'head');
    release();
    pictures.close();
  });

  it('is taken anew after the queue was changed', async () => {
    const { state, pictures } = setUp(3);
    await pictures.look('anna');
    state.size = 2;
    pictures.spoil();
    assert.equal(sizeOf(await pictures.look('anna')), 2);
    pictures.close();
  });

  it('is not fresh when the queue was changed while it was taken', async () => {
    const { state, pictures, release } = setUp(3);
    state.slow = true;
    const first = pictures.look('anna');
    await new Promise(setImmediate);
    pictures.spoil();
    release();
    await first;
    state.slow = false;
    await pictures.look('anna');
    assert.equal(state.listings, 2);
    pictures.close();
  });

  it('is not the one that was begun before the change, for who looks after it', async () => {
    const { state, pictures, release } = setUp(3);
    state.slow = true;
    const first = pictures.look('anna');
    await new Promise(setImmediate);
    state.size = 2;
    pictures.spoil();
    state.slow = false;
    const [second, whole] = [pictures.look('ben'), pictures.whole('cora')];
    release();
    assert.equal(sizeOf(await first), 3);
    assert.equal(sizeOf(await second), 2);
    assert.equal((await whole).picture.size, 2);
    assert.equal(state.listings, 2);
    pictures.close();
  });

  it('is shown with why it is not newer when the helper is away, and an error when there is none', async () => {
    const { state, pictures } = setUp(3);
    state.away = true;
    await assert.rejects(pictures.look('anna'), HelperError);
    state.away = false;
    await pictures.look('anna');
    state.away = true;
    state.now += FRESH_MS;
    for (const look of [await pictures.look('anna'), await pictures.glance('anna')]) {
      assert.equal(sizeOf(look), 3);
      assert.equal(look.kind === 'shot' && look.failure?.key, AWAY.key);
    }
    pictures.close();
  });

  it('is the older one, and says so, while a newer one takes long', async () => {
    const { state, pictures, release } = setUp(3);
    await pictures.look('anna');
    state.now += FRESH_MS;
    state.slow = true;
    const look = await pictures.look('anna');
    assert.equal(look.kind === 'shot' && look.renewing, true);
    release();
    pictures.close();
  });

  it('loses what was deleted at once, and a small queue is asked again', async () => {
    const { state, pictures } = setUp(3);
    await pictures.look('anna');
    pictures.remove(new Set(['ABCDEF000001']));
    await pictures.look('anna');
    assert.equal(state.listings, 2);
    pictures.close();
  });

  it('loses what was deleted at once, and a large queue is not read anew for it', async () => {
    const { state, pictures } = setUp(3);
    state.took = 2_000;
    await pictures.look('anna');
    pictures.remove(new Set(['ABCDEF000001']));
    const look = await pictures.look('anna');
    assert.equal(sizeOf(look), 2);
    assert.equal(look.kind === 'shot' && look.shot.counts.deferred, 2);
    assert.equal(state.listings, 1);
    pictures.close();
  });

  it('does not bring back what was deleted while a large queue was read anew', async () => {
    const { state, pictures, release } = setUp(3);
    state.took = 2_000;
    await pictures.look('anna');
    state.now += 20_000;
    state.slow = true;
    const whole = pictures.whole('anna');
    await new Promise(setImmediate);
    pictures.remove(new Set(['ABCDEF000001']));
    state.slow = false;
    release();
    assert.equal((await whole).picture.size, 2);
    assert.equal(sizeOf(await pictures.look('anna')), 2);
    assert.equal(state.listings, 2);
    pictures.close();
  });
});

describe('a first look', () => {
  it('lists a small queue whole', async () => {
    const { state, pictures } = setUp(40);
    assert.equal(sizeOf(await pictures.glance('anna')), 40);
    assert.equal(state.heads, 1);
    assert.equal(state.listings, 0);
    pictures.close();
  });

  it('lists one of medium size whole, and asks for it once', async () => {
    const { state, pictures } = setUp(MEDIUM_QUEUE);
    assert.equal(sizeOf(await pictures.glance('anna')), MEDIUM_QUEUE);
    assert.equal(state.heads, 1);
    assert.equal(state.listings, 0);
    pictures.close();
  });

  it('shows the first messages of a large queue, with the counts of all, without reading it', async () => {
    const { state, pictures } = setUp(MEDIUM_QUEUE + 1);
    const look = await pictures.glance('anna');
    assert.equal(look.kind, 'head');
    assert.equal(look.kind === 'head' && look.head.counts.deferred, MEDIUM_QUEUE + 1);
    assert.equal(state.listings, 0);
    await pictures.whole('anna');
    assert.equal(
      (await pictures.glance('anna')).kind,
      'shot',
      'the whole is shown once it is there',
    );
    pictures.close();
  });

  it('is not waited for again: the head is shown as it was, and a newer one is asked for', async () => {
    const { state, pictures, release } = setUp(MEDIUM_QUEUE + 1);
    await pictures.glance('anna');
    state.now += FRESH_MS;
    state.slow = true;
    const again = await pictures.glance('anna');
    assert.equal(again.kind === 'head' && again.renewing, true);
    assert.equal(again.kind === 'head' && again.head.counts.deferred, MEDIUM_QUEUE + 1);
    state.size += 1;
    release();
    state.slow = false;
    await new Promise((resolve) => setImmediate(resolve));
    const newer = await pictures.glance('anna');
    assert.equal(newer.kind === 'head' && newer.head.counts.deferred, MEDIUM_QUEUE + 2);
    assert.equal(state.heads, 2);
    state.now += HEAD_KEPT_MS;
    state.away = true;
    await assert.rejects(pictures.glance('anna'), HelperError, 'too old to be shown');
    pictures.close();
  });

  it('is not shown as it was when the helper says at once that it is away', async () => {
    const { state, pictures } = setUp(MEDIUM_QUEUE + 1);
    await pictures.glance('anna');
    state.now += FRESH_MS;
    state.away = true;
    await assert.rejects(pictures.glance('anna'), HelperError);
    pictures.close();
  });

  it('is taken anew when a small queue was changed while it was listed', async () => {
    const { state, pictures, release } = setUp(40);
    state.slow = true;
    const first = pictures.glance('anna');
    await new Promise(setImmediate);
    state.size = 39;
    pictures.spoil();
    state.slow = false;
    release();
    assert.equal(sizeOf(await first), 39);
    assert.equal(sizeOf(await pictures.glance('anna')), 39);
    pictures.close();
  });

  it('never shows again what was deleted while it was taken', async () => {
    const { state, pictures, release } = setUp(MEDIUM_QUEUE + 2);
    await pictures.glance('anna');
    state.now += FRESH_MS;
    state.slow = true;
    await pictures.glance('anna');
    pictures.spoil();
    release();
    state.slow = false;
    await new Promise((resolve) => setImmediate(resolve));
    state.size -= 1;
    const look = await pictures.glance('anna');
    assert.equal(look.kind === 'head' && look.head.counts.deferred, MEDIUM_QUEUE + 1);
    pictures.close();
  });
});
