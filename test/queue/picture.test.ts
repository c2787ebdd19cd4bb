import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Picture, type PicturedMessage } from '../../lib/queue/picture.js';
import { groupsLately, selectLately } from '../../lib/queue/lately.js';
import { isUnderstood, NO_FILTER, parseQuery, type QueueFilter } from '../../lib/queue/query.js';
import type { QueueRow } from '../../lib/queue/schema.js';
import { groupRows, select, selectIds } from '../../lib/queue/selection.js';

const NOW = 1_800_000_000;
const REFUSED = 'connect to mx.partner.example[192.0.2.1]:25: Connection refused';
const FULL = 'host mx.firma.example[192.0.2.2] said: 452 4.2.2 Mailbox full (in reply to RCPT TO)';

let serial = 0;

function message(parts: Partial<QueueRow>): QueueRow {
  serial += 1;
  return {
    id: serial.toString(16).toUpperCase().padStart(10, '0'),
    queue: 'deferred',
    arrival: NOW - 3_600,
    created: NOW - 3_600,
    size: 1_000,
    sender: 'anna@acme.example',
    expired: false,
    nextTry: NOW + 60,
    recipients: [['info@partner.example', REFUSED]],
    moreRecipients: 0,
    ...parts,
  };
}

function pictureOf(rows: readonly QueueRow[]): Picture {
  const picture = new Picture();
  for (const row of rows) picture.add(row);
  return picture.seal();
}

function messages(picture: Picture): readonly PicturedMessage[] {
  return Array.from({ length: picture.rows }, (_, row) => picture.message(row));
}

const addresses = (picture: Picture, filter: Partial<QueueFilter>, sort = ''): string[] =>
  select(
    picture,
    {
      ...NO_FILTER,
      ...filter,
      ...parseQuery({ ...filter, sort, olderThan: String(filter.olderThan ?? '') }),
    },
    NOW,
  ).messages.map(({ recipients }) => recipients[0]?.[0] ?? '');

const row = fc.record(
  {
    id: fc.constantFrom('0123456789A', '4GpmSd1Xb0z3pkq', 'ABCDEF0123'),
    queue: fc.constantFrom('maildrop', 'incoming', 'active', 'deferred', 'hold'),
    arrival: fc.nat(4_000_000_000),
    created: fc.nat(4_000_000_000),
    size: fc.nat(4_000_000_000),
    sender: fc.constantFrom('', 'ä@bücher.example', '"<script>"@x.example', 'a@b.example'),
    expired: fc.boolean(),
    nextTry: fc.nat(4_000_000_000),
    recipients: fc.array(
      fc.tuple(
        fc.string({ unit: 'grapheme', maxLength: 30 }),
        fc.oneof(fc.constantFrom('', REFUSED, FULL), fc.string({ maxLength: 60 })),
      ),
      { minLength: 1, maxLength: 5 },
    ),
    moreRecipients: fc.nat(100_000),
  },
  { noNullPrototype: true },
) as fc.Arbitrary<QueueRow>;

describe('a picture of the queue', () => {
  it('gives every message back as it was put in', () => {
    fc.assert(
      fc.property(fc.array(row, { maxLength: 40 }), (rows) => {
        const seen = messages(pictureOf(rows)).map(({ causes, ...rest }) => {
          assert.equal(causes.length, rest.recipients.length);
          return rest;
        });
        assert.deepEqual(seen, rows);
      }),
    );
  });

  it('is the same after it crossed the border in pieces, however they are cut', () => {
    fc.assert(
      fc.property(
        fc.array(row, { maxLength: 40 }),
        fc.infiniteStream(fc.boolean()),
        (rows, cuts) => {
          const [filled, put] = [new Picture(), new Picture()];
          for (const each of rows) {
            filled.add(each);
            if (cuts.next().value) put.putPiece(filled.takePiece());
          }
          put.putPiece(Buffer.from(filled.takePiece().toString('base64'), 'base64'));
          assert.deepEqual(messages(put.seal()), messages(filled));
        },
      ),
    );
  });

  it('refuses what is no piece of a picture', () => {
    const filled = new Picture();
    filled.add(message({}));
    const piece = filled.takePiece();
    for (const wrong of [Buffer.alloc(0), piece.subarray(0, -1), Buffer.concat([piece, piece])]) {
      assert.throws(() => new Picture().putPiece(wrong), RangeError);
    }
  });

  it('leaves out what has gone since, in lists, groups and what is acted on', () => {
    const rows = [message({}), message({}), message({})];
    const picture = pictureOf(rows);
    picture.remove(new Set([rows[1]?.id ?? '']));
    assert.equal(picture.size, 2);
    assert.deepEqual(selectIds(picture, NO_FILTER, NOW, NOW), [rows[0]?.id, rows[2]?.id]);
    assert.equal(groupRows(picture, NO_FILTER, NOW).all, 2);
  });

  it('holds 100,000 messages in 15 MB', () => {
    const picture = new Picture();
    for (let at = 0; at < 100_000; at += 1) {
      picture.add(
        message({
          sender: `person${at % 5_000}@acme.example`,
          recipients: [[`customer${at}@domain${at % 3_000}.example`, REFUSED]],
        }),
      );
    }
    const put = new Picture();
    const piece = picture.takePiece();
    put.putPiece(piece);
    assert.equal(put.seal().size, 100_000);
    assert.ok(piece.length < 15_000_000, `${piece.length} bytes`);
  });
});

describe('a filter of the queue', () => {
  const rows = [
    message({ recipients: [['info@partner.example', REFUSED]] }),
    message({
      sender: '',
      arrival: NOW - 90_000,
      recipients: [['max@firma.example', FULL]],
    }),
    message({
      queue: 'hold',
      sender: 'Ben@Acme.Example',
      recipients: [['held@partner.example', '']],
    }),
    message({
      recipients: [
        ['two@other.example', FULL],
        ['both@partner.example', REFUSED],
      ],
    }),
  ];
  const picture = pictureOf(rows);
  const cases: readonly [filter: Partial<QueueFilter>, expected: readonly string[]][] = [
    [
      {},
      ['info@partner.example', 'max@firma.example', 'held@partner.example', 'two@other.example'],
    ],
    [{ sender: '<>' }, ['max@firma.example']],
    [{ sender: 'BEN@acme.example' }, ['held@partner.example']],
    [{ sender: 'en@acme.example' }, []],
    [{ sender: '@acme.example', queue: 'hold' }, ['held@partner.example']],
    [{ recipient: 'both@partner.example' }, ['two@other.example']],
    [{ recipient: '@FIRMA.example' }, ['max@firma.example']],
    [{ recipient: '@ner.example' }, []],
    [{ queue: 'hold' }, ['held@partner.example']],
    [{ reason: 'mailboxFull' }, ['max@firma.example', 'two@other.example']],
    [{ reason: 'refused' }, ['info@partner.example', 'two@other.example']],
    [{ reason: 'notTried' }, ['held@partner.example']],
    [{ olderThan: 86_400 }, ['max@firma.example']],
    [{ q: 'FIRMA' }, ['max@firma.example']],
    [{ q: rows[2]?.id.toLowerCase() ?? '' }, ['held@partner.example']],
    [{ q: '<>' }, ['max@firma.example']],
    [{ q: 'refused' }, []],
  ];
  for (const [filter, expected] of cases) {
    it(`${JSON.stringify(filter)} finds ${expected.length}`, () => {
      assert.deepEqual(addresses(picture, filter), expected);
    });
  }

  it('is read from an address, and nonsense in it counts as not given', () => {
    const query = parseQuery({
      q: ' x ',
      queue: 'corrupt',
      reason: '__proto__',
      olderThan: '-1',
      sort: 'id',
      page: '0',
      sender: ['a', 'b'],
    });
    assert.deepEqual(query, { ...NO_FILTER, q: 'x', sort: '', page: 1 });
  });
});

describe('a filter to act on all that match', () => {
  it('is understood whole, or not at all', () => {
    const whole = {
      q: ' anna ',
      sender: '<>',
      reason: 'refused',
      queue: 'hold',
      olderThan: '3600',
    };
    assert.equal(isUnderstood({}), true);
    assert.equal(isUnderstood({ ...whole, recipient: '', page: 'x', sort: 'x' }), true);
    for (const wrong of [
      ...[{ q: ['anna', 'ben'] }, { q: 'x'.repeat(321) }, { sender: { of: 'anna' } }],
      ...[{ reason: 'luck' }, { queue: 'all' }, { olderThan: '1h' }, { olderThan: '-1' }],
    ]) {
      assert.equal(isUnderstood({ ...whole, ...wrong }), false, JSON.stringify(wrong));
    }
  });
});

describe('sorting the queue', () => {
  const picture = pictureOf([
    message({
      arrival: 30,
      size: 1,
      nextTry: 0,
      sender: 'b@x',
      recipients: [['one@c.example', '']],
    }),
    message({
      arrival: 10,
      size: 3,
      nextTry: 5,
      sender: 'C@x',
      recipients: [['two@B.example', '']],
    }),
    message({
      arrival: 20,
      size: 2,
      nextTry: 9,
      sender: 'a@x',
      recipients: [['three@a.example', '']],
    }),
  ]);
  const orders = {
    oldest: ['two', 'three', 'one'],
    newest: ['one', 'three', 'two'],
    largest: ['two', 'three', 'one'],
    nextTry: ['two', 'three', 'one'],
    sender: ['three', 'one', 'two'],
    destination: ['three', 'two', 'one'],
  };
  for (const [sort, expected] of Object.entries(orders)) {
    it(`by ${sort}`, () => {
      const found = addresses(picture, {}, sort).map((address) => address.split('@')[0]);
      assert.deepEqual(found, expected);
    });
  }

  it('keeps to the pages there are', () => {
    const many = pictureOf(Array.from({ length: 61 }, () => message({})));
    const last = select(many, parseQuery({ page: '99', sort: 'oldest' }), NOW);
    assert.deepEqual([last.page, last.pages, last.messages.length, last.matching], [3, 3, 1, 61]);
  });
});

describe('groups of the queue', () => {
  it('count each message once for a cause and a destination, whatever its recipients', () => {
    const picture = pictureOf([
      message({
        recipients: [
          ['a@partner.example', REFUSED],
          ['b@partner.example', REFUSED],
          ['c@firma.example', FULL],
        ],
      }),
      message({ arrival: NOW - 10 }),
    ]);
    const groups = groupRows(picture, NO_FILTER, NOW);
    assert.deepEqual(groups.causes, [
      { key: 'refused', messages: 2 },
      { key: 'mailboxFull', messages: 1 },
    ]);
    assert.deepEqual(groups.destinations, [
      { key: 'partner.example', messages: 2 },
      { key: 'firma.example', messages: 1 },
    ]);
    assert.deepEqual(groups.shape[0]?.byAge, [1, 0, 1, 0, 0, 0]);
    assert.deepEqual(groups.senders, [{ key: 'anna@acme.example', messages: 2 }]);
  });

  it('put what is beyond the largest eight together', () => {
    const picture = pictureOf(
      Array.from({ length: 12 }, (_, at) =>
        message({ recipients: [[`x@domain${String(at)}.example`, REFUSED]] }),
      ),
    );
    const { shape } = groupRows(picture, NO_FILTER, NOW);
    assert.equal(shape.length, 9);
    assert.deepEqual([shape[8]?.destination, shape[8]?.messages], [null, 4]);
  });

  it('keep all causes to choose from, and everything else to the chosen one', () => {
    const picture = pictureOf([
      message({}),
      message({ recipients: [['x@firma.example', FULL]], sender: 'ben@acme.example' }),
    ]);
    const groups = groupRows(picture, { ...NO_FILTER, reason: 'mailboxFull' }, NOW);
    assert.equal(groups.causes.length, 2);
    assert.deepEqual(groups.destinations, [{ key: 'firma.example', messages: 1 }]);
    assert.deepEqual(groups.senders, [{ key: 'ben@acme.example', messages: 1 }]);
  });
});

describe('what was asked for lately', () => {
  const query = { ...NO_FILTER, sort: 'oldest', page: 1 } as const;

  it('is answered as if it was asked for the first time', () => {
    const row = fc.record({
      arrival: fc.integer({ min: NOW - 400_000, max: NOW }),
      sender: fc.constantFrom('anna@acme.example', 'ben@acme.example', ''),
      queue: fc.constantFrom('deferred' as const, 'hold' as const),
    });
    const asked = fc.record({
      sender: fc.constantFrom('', 'ben@acme.example'),
      olderThan: fc.constantFrom(0, 3_600),
      sort: fc.constantFrom('oldest' as const, 'sender' as const, '' as const),
      page: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(
        fc.array(row, { maxLength: 70 }),
        fc.array(asked, { maxLength: 12 }),
        (rows, all) => {
          const picture = pictureOf(rows.map(message));
          for (const one of all) {
            const wanted = { ...NO_FILTER, ...one };
            assert.deepEqual(selectLately(picture, wanted, NOW), select(picture, wanted, NOW));
            assert.deepEqual(groupsLately(picture, wanted, NOW), groupRows(picture, wanted, NOW));
          }
        },
      ),
    );
  });

  it('forgets what has left the queue, and lets ages grow', () => {
    const rows = [message({ arrival: NOW - 590 }), message({ arrival: NOW - 10 })];
    const picture = pictureOf(rows);
    assert.equal(selectLately(picture, query, NOW).matching, 2);
    const young = { ...query, olderThan: 600 };
    assert.equal(selectLately(picture, young, NOW).matching, 0);
    assert.equal(selectLately(picture, young, NOW + 60).matching, 1);
    assert.deepEqual(groupsLately(picture, NO_FILTER, NOW).shape[0]?.byAge.slice(0, 2), [2, 0]);
    assert.deepEqual(
      groupsLately(picture, NO_FILTER, NOW + 60).shape[0]?.byAge.slice(0, 2),
      [1, 1],
    );
    picture.remove(new Set([rows[0]?.id ?? '']));
    assert.equal(selectLately(picture, query, NOW).matching, 1);
    assert.equal(groupsLately(picture, NO_FILTER, NOW).all, 1);
  });
});
