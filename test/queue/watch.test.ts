import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Helper } from '../../lib/client/helper.js';
import { migrateMail } from '../../lib/database/mail-schema.js';
import { Picture } from '../../lib/queue/picture.js';
import type { QueueName } from '../../lib/queue/schema.js';
import type { QueueSample } from '../../lib/queue/store.js';
import { createQueueWatch, noticesOf, stallsOf } from '../../lib/queue/watch.js';
import { silentLog } from '../support/log.js';
import { openMemoryDatabase, type MemoryDatabase } from '../support/memory-database.js';

const AT = new Date('2026-11-23T10:00:00Z');
const NOW = AT.getTime() / 1000;
const GIB = 1024 ** 3;
const REFUSED = 'connect to mx.partner.example[192.0.2.1]:25: Connection refused';

function sample(parts: Partial<QueueSample>): QueueSample {
  const room = { diskFree: 100 * GIB, diskNeeded: GIB };
  return { at: AT, waiting: 3, held: 0, ...room, stalls: [], ...parts };
}

const PASSWORD =
  'SASL authentication failed; server smtp.provider.example[192.0.2.9] said: 535 5.7.8 Error: authentication failed';

function pictureOf(
  mails: readonly {
    readonly to: string;
    readonly age: number;
    readonly queue?: QueueName;
    readonly reason?: string;
  }[],
): Picture {
  const picture = new Picture();
  mails.forEach(({ to, age, queue, reason }, at) =>
    picture.add({
      queue: queue ?? 'deferred',
      ...{ id: `ABCDEF${String(at)}`, arrival: NOW - age, created: NOW - age, size: 1 },
      ...{ sender: 'a@acme.example', expired: false, nextTry: 0, moreRecipients: 0 },
      recipients: [[to, reason ?? REFUSED]],
    }),
  );
  return picture;
}

const keys = (now: QueueSample, before: QueueSample | null): string[] =>
  noticesOf(now, before, AT).map(({ kind, key }) => `${kind} ${key}`);

describe('notices about the queue', () => {
  it('are none while a few mails wait', () => {
    assert.deepEqual(keys(sample({}), sample({ waiting: 2 })), []);
  });

  it('tell when far more mails wait than an hour ago', () => {
    const grows = ['warn queue.notice.grows'];
    assert.deepEqual(keys(sample({ waiting: 60 }), sample({ waiting: 10 })), grows);
    assert.deepEqual(keys(sample({ waiting: 60 }), null), [], 'nobody knows how many it were');
    assert.deepEqual(keys(sample({ waiting: 49 }), sample({ waiting: 0 })), []);
    assert.deepEqual(keys(sample({ waiting: 1_060 }), sample({ waiting: 1_000 })), []);
  });

  it('tell when room runs out, and when it has run out', () => {
    assert.deepEqual(keys(sample({ diskFree: 3 * GIB }), null), ['warn queue.notice.room']);
    assert.deepEqual(keys(sample({ diskFree: GIB - 1 }), null), ['bad queue.notice.full']);
  });

  it('tell which destination stalls, since when and why, and lead to its mail', () => {
    const stall = {
      destination: 'partner.example',
      messages: 7,
      oldest: NOW - 7_200,
      cause: 'refused',
    };
    const [notice] = noticesOf(sample({ stalls: [stall] }), null, AT);
    assert.equal(notice?.key, 'queue.notice.stalls');
    assert.deepEqual(notice?.show, { recipient: '@partner.example' });
    assert.equal(notice?.since?.getTime(), AT.getTime() - 7_200_000);
    assert.equal(notice?.cause, 'refused');
  });

  it('say that mail is stuck where it is ours to repair, and lead to that mail', () => {
    const stall = { destination: null, messages: 2, oldest: NOW - 900, cause: 'smarthostLogin' };
    const tell = (cause: string) =>
      noticesOf(sample({ stalls: [{ ...stall, cause }] }), null, AT)[0];
    const notice = tell('smarthostLogin');
    assert.deepEqual([notice?.kind, notice?.key], ['bad', 'queue.notice.blocked']);
    assert.deepEqual(notice?.show, { reason: 'smarthostLogin' });
    assert.equal(tell('dns')?.kind, 'warn');
  });

  it('are none when nobody looked for long', () => {
    const old = new Date(AT.getTime() - 60 * 60 * 1000);
    assert.deepEqual(keys(sample({ at: old, diskFree: 0 }), null), []);
  });
});

describe('what stalls', () => {
  it('is a destination for which five mails wait, the oldest for an hour', () => {
    const many = Array.from({ length: 5 }, () => ({ to: 'x@partner.example', age: 4_000 }));
    assert.deepEqual(stallsOf(pictureOf(many), NOW), [
      { destination: 'partner.example', messages: 5, oldest: NOW - 4_000, cause: 'refused' },
    ]);
    const others = [
      many.slice(1),
      many.map((mail) => ({ ...mail, age: 600 })),
      many.map((mail) => ({ ...mail, queue: 'hold' as const })),
    ];
    for (const mails of others) assert.deepEqual(stallsOf(pictureOf(mails), NOW), []);
  });

  it('is a cause of our own from one mail on, once it is no passing fault', () => {
    const one = { to: 'x@partner.example', age: 700, reason: PASSWORD };
    const stall = { destination: null, messages: 1, oldest: NOW - 700, cause: 'smarthostLogin' };
    assert.deepEqual(stallsOf(pictureOf([one]), NOW), [stall]);
    assert.deepEqual(stallsOf(pictureOf([{ ...one, age: 500 }]), NOW), []);
    assert.deepEqual(stallsOf(pictureOf([{ ...one, queue: 'hold' as const }]), NOW), []);
  });

  it('is a cause on the way that keeps mail to several destinations, and is told once', () => {
    const to = (name: string, age = 4_000) => ({ to: `x@${name}.example`, age });
    const stall = { destination: null, messages: 3, oldest: NOW - 4_000, cause: 'refused' };
    assert.deepEqual(stallsOf(pictureOf([to('a'), to('b'), to('b')]), NOW), [stall]);
    const few = [
      [to('a'), to('b')],
      [to('a'), to('a'), to('a')],
      ['a', 'b', 'c'].map((x) => to(x, 900)),
    ];
    for (const mails of few) assert.deepEqual(stallsOf(pictureOf(mails), NOW), []);
    const many = [...Array.from({ length: 6 }, () => to('a')), to('b')];
    assert.deepEqual(stallsOf(pictureOf(many), NOW), [{ ...stall, messages: 7 }]);
    const typo =
      'Host or domain name not found. Name service error for name=a.example type=AAAA: Host not found';
    const typos = ['a', 'b', 'c'].map((name) => ({ ...to(name), reason: typo }));
    assert.deepEqual(stallsOf(pictureOf(typos), NOW), []);
  });
});

describe('the watch over the queue', () => {
  let database: MemoryDatabase;
  before(async () => {
    database = await openMemoryDatabase();
    await migrateMail(database.db);
  });
  after(() => database.close());

  it('notes what it sees, and tells of it afterwards', async () => {
    const counts = { maildrop: 0, incoming: 0, active: 0, deferred: 6, hold: 2, corrupt: 0 };
    const disk = { free: 2 * GIB, total: 9 * GIB, needed: GIB };
    const old = Array.from({ length: 6 }, () => ({ to: 'x@slow.example', age: 4_000 }));
    const call = (action: string, _params: object, options: { onProgress?: unknown }) => {
      if (action === 'queue-counts') return Promise.resolve({ counts, disk });
      const picture = new Picture();
      const seconds = Math.floor(Date.now() / 1000);
      old.forEach(({ to, age }, at) =>
        picture.add({
          ...{ id: `ABCDEF${String(at)}`, queue: 'deferred', arrival: seconds - age, created: 0 },
          ...{ size: 1, sender: '', expired: false, nextTry: 0, moreRecipients: 0 },
          recipients: [[to, REFUSED]],
        }),
      );
      const tell = options.onProgress as (progress: object) => void;
      tell({ done: 6, total: null, row: picture.takePiece().toString('base64') });
      return Promise.resolve({});
    };
    const helper = { call } as unknown as Helper;
    const watch = createQueueWatch({ db: database.db, helper, log: silentLog });
    assert.deepEqual(await watch.notices(), []);
    await watch.look();
    assert.deepEqual(
      (await watch.notices()).map(({ key, values }) => [key, values]),
      [
        ['queue.notice.room', {}],
        ['queue.notice.stalls', { count: 6, destination: 'slow.example' }],
      ],
    );
    old.splice(0);
    const before = new Date(Date.now() - 60_000);
    await database.db('mail_queue_samples').update({ at: before });
    assert.deepEqual(
      (await watch.notices()).map(({ key }) => key),
      ['queue.notice.room'],
      'what has gone on meanwhile is looked at again',
    );
    await watch.close();
  });
});
