import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fold } from '../../lib/bulk/fold.js';
import type { Known } from '../../lib/bulk/recipient-store.js';
import { messageIdOf, type FollowedId } from '../../lib/bulk/schema.js';
import { LogScan, type Missed } from '../../lib/privileged/bulk/scan.js';

const OF = { key: '0123456789abcdef0123', secret: 'fedcba98765432100000' };
const ID = `message-id=<${messageIdOf(OF, 3, 'example.com')}>`;

/** `program[pid]: text`, as in a log. */
function scan(
  lines: readonly string[],
  followed: readonly FollowedId[] = [],
  missed: Missed | null = null,
): LogScan {
  const found = new LogScan(OF, followed, missed);
  for (const line of lines) {
    const [, program = '', pid = '', text = ''] = /^([\w/-]+)\[(\d+)\]: (.*)$/.exec(line) ?? [];
    found.take(program, pid, text);
  }
  return found;
}

/** What is known of recipient 3 after these lines. */
function after(lines: readonly string[], before: Partial<Known> = {}): Known {
  const known: Known = { no: 3, state: 'checking', queueId: '', reply: '', ...before };
  const followed: FollowedId[] = known.queueId === '' ? [] : [[known.queueId, 3]];
  return scan(lines, followed)
    .events.filter(([no]) => no === 3)
    .reduce(fold, known);
}

const queued = (id: string): string[] => [
  `postfix/smtpd[10]: ${id}: client=localhost[127.0.0.1]`,
  `postfix/cleanup[11]: ${id}: ${ID}`,
  `postfix/qmgr[12]: ${id}: from=<info@example.com>, size=900, nrcpt=1 (queue active)`,
];
const to = (id: string, status: string, words: string, program = 'local'): string =>
  `postfix/${program}[13]: ${id}: to=<bob@example.com>, relay=local, delay=0.1, delays=0/0/0/0, dsn=2.0.0, status=${status} (${words})`;

describe('what the log says of a message', () => {
  it('is nothing certain while it was only begun', () => {
    assert.equal(after(queued('3A0B1C2D3E').slice(0, 2)).state, 'checking');
  });

  it('is that Postfix has it, that it was delivered, that it came back', () => {
    const id = '3A0B1C2D3E';
    assert.deepEqual(after(queued(id)), { no: 3, state: 'accepted', queueId: id, reply: '' });
    const sent = [...queued(id), to(id, 'sent', 'delivered to mailbox')];
    assert.equal(after(sent).state, 'accepted');
    const removed = after([...sent, `postfix/qmgr[12]: ${id}: removed`]);
    assert.deepEqual([removed.state, removed.reply], ['delivered', 'delivered to mailbox']);
    const late = [...queued(id), to(id, 'deferred', 'mailbox full')];
    assert.deepEqual([after(late).state, after(late).reply], ['deferred', 'mailbox full']);
    const expired = after([
      ...late,
      `postfix/qmgr[12]: ${id}: from=<info@example.com>, status=expired, returned to sender`,
      `postfix/qmgr[12]: ${id}: removed`,
    ]);
    assert.deepEqual([expired.state, expired.reply], ['bounced', 'mailbox full']);
    const back = [
      ...queued(id),
      to(id, 'bounced', 'unknown user'),
      `postfix/qmgr[12]: ${id}: removed`,
    ];
    assert.deepEqual([after(back).state, after(back).reply], ['bounced', 'unknown user']);
    const deleted = after([...late, `postfix/postsuper[14]: ${id}: removed`]);
    assert.equal(deleted.state, 'deleted');
  });

  it('follows it through a filter that gives it another queue id', () => {
    const back = queued('4B0B1C2D3E').map((line) =>
      line.replace('postfix/smtpd', 'postfix/10025/smtpd'),
    );
    const filtered = [
      ...queued('3A0B1C2D3E'),
      ...back,
      to(
        '3A0B1C2D3E',
        'sent',
        '250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 4B0B1C2D3E',
        'smtp',
      ),
      'postfix/qmgr[12]: 3A0B1C2D3E: removed',
    ];
    assert.deepEqual(after(filtered), {
      no: 3,
      state: 'accepted',
      queueId: '4B0B1C2D3E',
      reply: '',
    });
    const end = [to('4B0B1C2D3E', 'sent', 'delivered'), 'postfix/qmgr[12]: 4B0B1C2D3E: removed'];
    assert.equal(after([...filtered, ...end]).state, 'delivered');
    const swallowed = [
      ...queued('3A0B1C2D3E'),
      to('3A0B1C2D3E', 'sent', '250 2.7.0 Ok, discarded, id=1-2 - INFECTED', 'smtp'),
    ];
    assert.equal(after(swallowed).state, 'bounced');
  });

  it('goes on where it stopped, and knows whose a reused short id is', () => {
    const id = '3A0B1C2D3E';
    const lines = [to(id, 'sent', 'delivered'), `postfix/qmgr[12]: ${id}: removed`];
    assert.equal(after(lines, { state: 'accepted', queueId: id }).state, 'delivered');
    const other = [
      `postfix/cleanup[11]: ${id}: message-id=<other@example.net>`,
      to(id, 'bounced', 'no'),
    ];
    assert.equal(after(other, { state: 'accepted', queueId: id }).state, 'accepted');
  });

  it('takes sender and recipient for a message whose first line was never written, nobody else’s', () => {
    const missed = { sender: 'info@example.com', recipients: new Map([['bob@example.com', 3]]) };
    const nameless = [queued('3A0B1C2D3E')[2] ?? '', to('3A0B1C2D3E', 'sent', 'delivered')];
    const kinds = (lines: readonly string[]) =>
      scan(lines, [], missed).events.map(([no, kind]) => [no, kind]);
    assert.deepEqual(kinds(nameless), [
      [3, 'known'],
      [3, 'queued'],
      [3, 'sent'],
    ]);
    const named = ['postfix/cleanup[11]: 3A0B1C2D3E: message-id=<other@example.com>', ...nameless];
    assert.deepEqual(kinds(named), []);
    const foreign = nameless.map((line) => line.replace('info@example.com', 'eve@example.com'));
    assert.deepEqual(kinds(foreign), []);
  });

  it('may lack something after a crash with somebody connected', () => {
    const start =
      'postfix/master[20]: daemon started -- version 3.7.11, configuration /etc/postfix';
    const talk = ['postfix/smtpd[10]: connect from localhost[127.0.0.1]'];
    const bye = ['postfix/smtpd[10]: disconnect from localhost[127.0.0.1] quit=1 commands=1'];
    assert.equal(scan([...talk, start]).crashed, true);
    assert.equal(scan([...talk, ...bye, start]).crashed, false);
    assert.equal(
      scan([...talk, 'postfix/master[9]: terminating on signal 15', start]).crashed,
      false,
    );
  });

  it('is not taken from what a stranger gets written into it', () => {
    const forged = `postfix/cleanup[11]: 3A0B1C2D3E: warning: header Subject: postfix/qmgr[1]: 5C0B1C2D3E: ${ID} from x`;
    assert.deepEqual(scan([forged]).events, []);
    // Who got message 3 knows its id, and makes up that of message 4.
    const madeUp = `postfix/cleanup[11]: 3A0B1C2D3E: ${ID.replace('.3.', '.4.')}`;
    assert.deepEqual(scan([madeUp]).events, []);
  });
});
