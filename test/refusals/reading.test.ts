/** Lines of real daemons, and what they mean. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { factsOf } from '../../lib/refusals/causes.js';
import { groupRefusals } from '../../lib/refusals/groups.js';
import { readRefusal } from '../../lib/refusals/reading.js';

const TAIL = 'from=<s@x.example> to=<bob@box.test> proto=ESMTP helo=<x.example>';
const rcpt = (reply: string): string =>
  `NOQUEUE: reject: RCPT from mx.x.example[203.0.113.9]: ${reply}; ${TAIL}`;

/** Cause, program, text. */
const LINES: readonly (readonly [string, string, string])[] = [
  [
    'greylisted',
    'smtpd',
    rcpt(
      '450 4.2.0 <bob@box.test>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/box.test.html',
    ),
  ],
  [
    'spf',
    'smtpd',
    rcpt(
      '550 5.7.23 <bob@box.test>: Recipient address rejected: Message rejected due to: SPF fail - not authorized. Please see http://www.open-spf.org/Why?s=mfrom',
    ),
  ],
  [
    'blockList',
    'smtpd',
    rcpt(
      '554 5.7.1 Service unavailable; Client host [203.0.113.9] blocked using bl.example; listed',
    ),
  ],
  [
    'unknownUser',
    'smtpd',
    rcpt(
      '550 5.1.1 <bob@box.test>: Recipient address rejected: User unknown in local recipient table',
    ),
  ],
  ['relayDenied', 'smtpd', rcpt('454 4.7.1 <bob@box.test>: Relay access denied')],
  [
    'policy',
    'smtpd',
    rcpt('554 5.7.1 <bob@box.test>: Recipient address rejected: blocked by policy R001'),
  ],
  [
    'senderDomain',
    'smtpd',
    rcpt('450 4.1.8 <s@x.example>: Sender address rejected: Domain not found'),
  ],
  [
    'recipientDomain',
    'smtpd',
    rcpt('450 4.1.2 <bob@box.test>: Recipient address rejected: Domain not found'),
  ],
  [
    'clientName',
    'smtpd',
    rcpt('450 4.7.25 Client host rejected: cannot find your hostname, [203.0.113.9]'),
  ],
  ['helo', 'smtpd', rcpt('504 5.5.2 <x>: Helo command rejected: need fully-qualified hostname')],
  [
    'accessRule',
    'smtpd',
    rcpt('554 5.7.1 <mx.x.example[203.0.113.9]>: Client host rejected: Access denied'),
  ],
  [
    'ourFault',
    'smtpd',
    rcpt('451 4.3.5 <bob@box.test>: Recipient address rejected: Server configuration problem'),
  ],
  [
    'tlsNeeded',
    'smtpd',
    'NOQUEUE: reject: MAIL from mx.x.example[203.0.113.9]: 530 5.7.0 Must issue a STARTTLS command first; from=<s@x.example> proto=ESMTP helo=<x>',
  ],
  [
    'tooLarge',
    'smtpd',
    'NOQUEUE: reject: MAIL from mx.x.example[203.0.113.9]: 552 5.3.4 Message size exceeds fixed limit; proto=ESMTP helo=<x>',
  ],
  ['tooLarge', 'smtpd', 'warning: 17AC3254541: queue file size limit exceeded'],
  [
    'disk',
    'smtpd',
    'NOQUEUE: reject: MAIL from mx.x.example[203.0.113.9]: 452 4.3.1 Insufficient system storage; proto=ESMTP helo=<x>',
  ],
  [
    'screen',
    'postscreen',
    'NOQUEUE: reject: RCPT from [203.0.113.9]:4711: 450 4.3.2 Service currently unavailable; from=<s@x.example>, to=<bob@box.test>, proto=ESMTP, helo=<x>',
  ],
  [
    'blockList',
    'postscreen',
    'NOQUEUE: reject: RCPT from [203.0.113.9]:4711: 550 5.7.1 Service unavailable; client [203.0.113.9] blocked using bl.example; from=<s@x.example>, to=<bob@box.test>, proto=ESMTP, helo=<x>',
  ],
  ['screen', 'postscreen', 'PREGREET 14 after 0.06 from [203.0.113.9]:4711: EHLO x.example\\r\\n'],
  [
    'contentRule',
    'cleanup',
    'DD50A254541: reject: header Subject: evil from mx.x.example[203.0.113.9]; from=<s@x.example> to=<bob@box.test> proto=ESMTP helo=<x>: 5.7.1 no evil',
  ],
  [
    'spam',
    'cleanup',
    'DD50A254541: milter-reject: END-OF-MESSAGE from mx.x.example[203.0.113.9]: 5.7.1 Spam message rejected; from=<s@x.example> to=<bob@box.test> proto=ESMTP helo=<x>',
  ],
  [
    'login',
    'submission/smtpd',
    'warning: unknown[203.0.113.9]: SASL LOGIN authentication failed: UGFzc3dvcmQ6',
  ],
  [
    'rate',
    'smtpd',
    'warning: Connection rate limit exceeded: 61 from mx.x.example[203.0.113.9] for service smtp',
  ],
  [
    'virus',
    'smtp',
    '4F2A91B3C7: to=<bob@box.test>, relay=127.0.0.1[127.0.0.1]:10024, delay=0.4, delays=0.1/0/0/0.3, dsn=2.7.0, status=sent (250 2.7.0 Ok, discarded, id=00123-01 - INFECTED: Eicar-Test-Signature)',
  ],
];

describe('a refusal', () => {
  for (const [cause, program, text] of LINES) {
    it(`is recognised: ${cause}, ${text.slice(0, 90)}`, () => {
      const refusal = readRefusal({ at: 1, program: `postfix/${program}`, text });
      assert.equal(refusal?.cause, cause);
      if (!/^(warning: 17|4F2A)/.test(text)) assert.equal(refusal.client.address, '203.0.113.9');
      if (text.includes('s@x.example')) assert.equal(refusal.sender, 's@x.example');
      if (text.includes('to=<')) assert.deepEqual(refusal.recipients, ['bob@box.test']);
    });
  }

  it('of the content filter names sender, server and verdict', () => {
    const text =
      '(00123-01) Blocked INFECTED (Eicar-Test-Signature) {DiscardedInbound,Quarantined}, [203.0.113.9]:4711 [203.0.113.9] <s@x.example> -> <bob@box.test>,<al@box.test>, quarantine: virus-abc, Queue-ID: 4F2A91B3C7, Message-ID: <1@x>, mail_id: abc, Hits: -, size: 900, 120 ms';
    const refusal = readRefusal({ at: 1, program: 'amavis', text });
    assert.equal(refusal?.cause, 'virus');
    assert.equal(refusal.id, '4F2A91B3C7');
    assert.deepEqual(refusal.recipients, ['bob@box.test', 'al@box.test']);
    assert.equal(refusal.client.address, '203.0.113.9');
    assert.equal(refusal.said, 'INFECTED (Eicar-Test-Signature)');
    const passed = text.replace('Blocked INFECTED (Eicar-Test-Signature)', 'Passed CLEAN');
    assert.equal(readRefusal({ at: 1, program: 'amavis', text: passed }), null);
  });

  it('that is only noted says so, and what another server delivered is none', () => {
    const noted = rcpt('554 5.7.1 <x>: Client host rejected: Access denied');
    const text = noted.replace('reject:', 'reject_warning:');
    assert.equal(readRefusal({ at: 1, program: 'postfix/smtpd', text })?.warning, true);
    const sent =
      '4F2A91B3C7: to=<a@y.example>, relay=mx.y.example[192.0.2.4]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.7.0 discarded INFECTED)';
    assert.equal(readRefusal({ at: 1, program: 'postfix/smtp', text: sent }), null);
  });

  it('is read in no time however a stranger has twisted HELO, header and address', () => {
    // Long enough that a pattern which tries every place against every other would not end.
    const twisted = [' from=<> to=<> helo=<>', '> to=<> helo=<', '> from=<', ' sasl_a=b>', ': '];
    for (const part of twisted) {
      const text = part.repeat(4_000);
      const helo = `NOQUEUE: reject: RCPT from mx.x.example[203.0.113.9]: 550 5.1.1 <bob@box.test>: Recipient address rejected: User unknown; from=<s@x.example> to=<bob@box.test> proto=SMTP helo=<${text}`;
      const refusal = readRefusal({ at: 1, program: 'postfix/smtpd', text: helo });
      assert.deepEqual([refusal?.sender, refusal?.recipients], ['s@x.example', ['bob@box.test']]);
      const to = '>, orig_to=<>, relay=, delay=1, '.repeat(1_000);
      const sent = { at: 1, program: 'postfix/smtp', text: `4F2A91B3C7: to=<${to}` };
      assert.equal(readRefusal(sent), null);
      const header = `DD50A254541: reject: header Subject: ${text} from mx.x.example[203.0.113.9]; from=<${text}> to=<${text}`;
      assert.equal(
        readRefusal({ at: 1, program: 'postfix/cleanup', text: header })?.cause,
        'contentRule',
      );
    }
  });

  it('offers no exception where none would help: a virus is one whoever sends it', () => {
    for (const cause of ['virus', 'banned'] as const) {
      assert.deepEqual(factsOf(cause).exceptions, []);
    }
    assert.deepEqual(factsOf('greylisted').exceptions, ['ip', 'address', 'domain']);
    assert.deepEqual(factsOf('spam').exceptions, ['address', 'domain', 'ip']);
  });

  it('is counted with others of the same cause, server and sender', () => {
    const found = [30, 20, 10].map((at) => ({
      ...{ ids: [], leftOut: 0, headless: false },
      lines: [{ at, program: 'postfix/smtpd', text: LINES[0]?.[2] ?? '' }],
    }));
    const { groups, causes, count } = groupRefusals(found, '');
    assert.deepEqual(causes, [{ cause: 'greylisted', count: 3 }]);
    assert.equal(count, 3);
    assert.deepEqual(
      groups.map((group) => [group.count, group.first, group.last]),
      [[3, 10, 30]],
    );
    assert.deepEqual(groupRefusals(found, 'spf').groups, []);
  });
});
