/** The parts of the fetcher that need no fetchmail: what it says, what that means, when it looks again. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NO_ANSWER, resultOf, type PollEnd } from '../../lib/fetcher/classify.js';
import { createScheduler, MAX_PARALLEL, pauseAfter } from '../../lib/fetcher/scheduler.js';
import { parseStatus, statusAfter, type Outcome } from '../../lib/fetcher/status.js';
import { createTranscript } from '../../lib/fetcher/transcript.js';
import { parseSchedule, renderSchedule } from '../../lib/fetchmail/schedule.js';
import { someQuery } from '../support/queries.js';

describe('the dialogue with a provider', () => {
  const dialogue = [
    'fetchmail: IMAP> A0003 AUTHENTICATE CRAM-MD5',
    'fetchmail: IMAP< + PDYxNzUzMDA1ODA1',
    'fetchmail: IMAP> am9lIDQ4YTQ0YjYw',
    'fetchmail: IMAP< A0003 NO failed',
    'fetchmail: IMAP> A0004 LOGIN "joe" "geheim12"',
    'fetchmail: POP3> PASS geheim12',
    'fetchmail: POP3> APOP joe c4c9334bac560ecc979e58001b3e22fb',
    'fetchmail: POP3> AUTH PLAIN AGpvZQBnZWhlaW0xMg==',
    'fetchmail: said geheim12 to it',
    'fetchmail: IMAP> A0005 SELECT "INBOX"',
  ];
  it('shows no password, in clear or coded, and everything else', () => {
    const transcript = createTranscript('geheim12');
    const shown = dialogue.map((line) => transcript.take(line)).join('\n');
    for (const secret of ['geheim12', 'am9lIDQ4', 'c4c9334b', 'AGpvZQ']) {
      assert.equal(shown.includes(secret), false, secret);
    }
    assert.match(shown, /AUTHENTICATE CRAM-MD5/);
    assert.match(shown, /A0003 NO failed/);
  });
  it('tells how many messages wait, and how many of them were seen', () => {
    const transcript = createTranscript('x');
    transcript.take('5 messages (2 seen) for joe at query-1.');
    assert.deepEqual(transcript.counts(), { waiting: 5, seen: 2 });
    const other = createTranscript('x');
    other.take('fetchmail: No mail for joe at query-1');
    assert.deepEqual(other.counts(), { waiting: 0, seen: 0 });
  });
  it('loses escape sequences on its way to a page', () => {
    assert.equal(createTranscript('x').take('a\u001b[2Jb\tc'), 'ab c');
  });
});

describe('how a poll ended', () => {
  const end = (more: Partial<PollEnd>): Outcome =>
    resultOf({
      ...{ code: 0, lines: [], server: 'imap.provider.example', stopped: false, refusals: [] },
      counts: { waiting: null, seen: null, fetched: 0, left: 0 },
      ...more,
    }).outcome;
  const counts = { waiting: 2, seen: 0, fetched: 0, left: 2 };
  const cases: readonly (readonly [Outcome, Partial<PollEnd>])[] = [
    ['nothing', { code: 1 }],
    ['fetched', { counts: { ...counts, fetched: 2, left: 0 } }],
    ['fetched', { code: 13, counts: { ...counts, fetched: 1, left: 1 } }],
    ['login', { code: 3, lines: ['fetchmail: Authorization failure on joe@x'] }],
    [
      'basicLogin',
      { code: 3, server: 'imap.gmail.com', lines: ['IMAP< A2 NO Invalid credentials'] },
    ],
    [
      'basicLogin',
      { code: 3, server: 'outlook.office365.com', lines: ['IMAP< A2 NO LOGIN failed.'] },
    ],
    ['basicLogin', { code: 3, lines: ['POP3< -ERR Application-specific password required'] }],
    ['later', { code: 3, lines: ['POP3< -ERR [SYS/TEMP] Temporary authentication failure'] }],
    ['later', { code: 9, lines: ['POP3< -ERR [LOGIN-DELAY] too early'] }],
    ['later', { code: 3, lines: ['IMAP< A2 NO [ALERT] Too many simultaneous connections.'] }],
    ['certificate', { code: 2, lines: ['OpenSSL reported: certificate verify failed'] }],
    ['certificateName', { code: 2, lines: ['Server CommonName mismatch: a != b'] }],
    [
      'unknownHost',
      { code: 11, lines: ['getaddrinfo("x","993") error: Name or service not known'] },
    ],
    ['unreachable', { code: 2, lines: ['connection to x:993 failed: Connection refused.'] }],
    ['timeout', { code: 2, lines: ['fetchmail: timeout after 60 seconds waiting for server x.'] }],
    ['dropped', { code: 2, counts, lines: ['socket error while fetching'] }],
    ['mailboxBusy', { code: 9, lines: ['lock busy on server'] }],
    ['refusedHere', { code: 0, counts, refusals: ['550 5.1.1 User unknown'] }],
    ['diskHere', { code: 10, counts, refusals: ['452 4.3.1 Insufficient system storage'] }],
    ['awayHere', { code: 10 }],
    ['awayHere', { code: 0, counts, refusals: [NO_ANSWER] }],
    ['settings', { code: 5 }],
    ['stopped', { code: null, stopped: true }],
    ['unknown', { code: null }],
  ];
  for (const [outcome, more] of cases) {
    it(`is "${outcome}" after ${JSON.stringify(more).slice(0, 70)}`, () => {
      assert.equal(end(more), outcome);
    });
  }
  it('is told with the words that say why', () => {
    const lines = [
      'fetchmail: IMAP< A0002 NO [AUTHENTICATIONFAILED] nope',
      'fetchmail: IMAP< * BYE',
    ];
    const result = resultOf({
      ...{ code: 3, lines, server: 'x', stopped: false, refusals: [] },
      counts: { waiting: null, seen: null, fetched: 0, left: 0 },
    });
    assert.match(result.detail, /AUTHENTICATIONFAILED/);
  });
});

describe('the status of a query', () => {
  const report = (outcome: Outcome, at: string) => ({
    startedAt: new Date(at),
    finishedAt: new Date(at),
    dialogue: [],
    result: { outcome, code: 0, waiting: 1, seen: 0, fetched: 1, left: 0, detail: '' },
  });
  it('counts failures from the first of them, and forgets them when it goes well', () => {
    const first = statusAfter(null, report('login', '2026-01-01T00:00:00Z'));
    const second = statusAfter(first, report('timeout', '2026-01-02T00:00:00Z'));
    assert.equal(second.failingSince, '2026-01-01T00:00:00.000Z');
    assert.equal(second.failures, 2);
    const third = statusAfter(second, report('fetched', '2026-01-03T00:00:00Z'));
    assert.deepEqual([third.failingSince, third.failures, third.fetchedInAll], [null, 0, 3]);
  });
  it('remembers which messages may be here twice, the last twenty of them', () => {
    const messageIds = Array.from({ length: 30 }, (_, index) => `<${index}@x>`);
    const first = statusAfter(null, {
      ...report('fetched', '2026-01-01T00:00:00Z'),
      maybeTwice: messageIds,
    });
    const second = statusAfter(first, report('nothing', '2026-01-02T00:00:00Z'));
    assert.equal(second.maybeTwice.length, 20);
    assert.deepEqual(second.maybeTwice.at(-1), {
      at: '2026-01-01T00:00:00.000Z',
      messageId: '<29@x>',
    });
  });
  it('of an earlier release knows nothing of those, and is read all the same', () => {
    const { maybeTwice, ...older } = statusAfter(null, report('nothing', '2026-01-01T00:00:00Z'));
    assert.deepEqual(parseStatus(JSON.stringify(older))?.maybeTwice, maybeTwice);
  });
  it('is read back as it was written, and nothing else is taken for one', () => {
    const status = statusAfter(null, report('fetched', '2026-01-01T00:00:00Z'));
    assert.deepEqual(parseStatus(JSON.stringify(status)), status);
    for (const text of ['', '{}', '[]', 'null', '{"result":{"outcome":"evil"}}']) {
      assert.equal(parseStatus(text), null, text);
    }
  });
});

describe('the scheduler', () => {
  const schedule = (ids: readonly string[], interval = 60) =>
    parseSchedule(
      renderSchedule(
        ids.map((id) => someQuery({ id, interval })),
        25,
      ),
    );

  function started(outcomes: Record<string, Outcome> = {}) {
    let time = 0;
    const polled: string[] = [];
    const ends = new Map<string, () => void>();
    const scheduler = createScheduler({
      now: () => time,
      failuresOf: () => Promise.resolve(0),
      onNext: () => undefined,
      poll: async ({ id }) => {
        polled.push(id);
        await new Promise<void>((resolve) => ends.set(id, resolve));
        return outcomes[id] ?? 'nothing';
      },
    });
    const finish = async (id: string): Promise<void> => {
      ends.get(id)?.();
      await new Promise(setImmediate);
    };
    return { scheduler, polled, finish, pass: (seconds: number) => (time += seconds * 1_000) };
  }

  it('polls every query at once when it is new, but only some at a time', () => {
    const { scheduler, polled } = started();
    scheduler.follow(schedule(['1', '2', '3', '4', '5', '6']));
    scheduler.tick();
    assert.equal(polled.length, MAX_PARALLEL);
  });
  it('lets a query that hangs hold up no other one', async () => {
    const { scheduler, polled, finish, pass } = started();
    scheduler.follow(schedule(['1', '2']));
    scheduler.tick();
    await finish('2');
    pass(61);
    scheduler.tick();
    assert.deepEqual(polled, ['1', '2', '2']);
  });
  it('looks later after each failure, and after an hour at the latest', async () => {
    assert.deepEqual(
      [0, 1, 2, 3].map((failures) => pauseAfter(60, failures)),
      [60, 120, 240, 480],
    );
    assert.equal(pauseAfter(60, 50), 3_600);
    assert.equal(pauseAfter(86_400, 50), 86_400);
    const { scheduler, polled, finish, pass } = started({ '1': 'login' });
    scheduler.follow(schedule(['1']));
    scheduler.tick();
    await finish('1');
    pass(61);
    scheduler.tick();
    assert.deepEqual(polled, ['1']);
    pass(60);
    scheduler.tick();
    assert.deepEqual(polled, ['1', '1']);
  });
  it('looks again at once where what it failed by was put right', async () => {
    const { scheduler, polled, finish } = started({ '1': 'login' });
    scheduler.follow(schedule(['1', '2']));
    scheduler.tick();
    assert.deepEqual(scheduler.failing(), []);
    await finish('1');
    await finish('2');
    assert.deepEqual(scheduler.failing(), ['1']);
    scheduler.retry('1');
    scheduler.tick();
    assert.deepEqual(polled, ['1', '2', '1']);
  });
  it('looks again soon when it was the mail server here that did not answer', async () => {
    assert.ok(pauseAfter(300, 1, 'awayHere') <= 30);
    assert.equal(pauseAfter(60, 50, 'awayHere'), 60);
    const { scheduler, polled, finish, pass } = started({ '1': 'awayHere' });
    scheduler.follow(schedule(['1'], 300));
    scheduler.tick();
    await finish('1');
    pass(30);
    scheduler.tick();
    assert.deepEqual(polled, ['1', '1']);
  });
  it('forgets a query that was deleted, also while it is polled', async () => {
    const { scheduler, polled, finish, pass } = started();
    scheduler.follow(schedule(['1']));
    scheduler.tick();
    scheduler.follow(schedule([]));
    await finish('1');
    pass(1_000);
    scheduler.tick();
    assert.deepEqual(polled, ['1']);
  });
  it('leaves queries out that are switched off', () => {
    const text = renderSchedule([someQuery({ enabled: false })], 25);
    assert.deepEqual(parseSchedule(text).queries, []);
  });
});
