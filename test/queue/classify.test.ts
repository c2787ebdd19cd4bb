import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { PACKAGE_ROOT } from '../../lib/package-root.js';
import { CAUSES, CAUSE_IDS, causePosition, isCause, type Cause } from '../../lib/queue/causes.js';
import { classify } from '../../lib/queue/classify.js';
import { parseReason } from '../../lib/queue/reason.js';

interface Sample {
  readonly expected: Cause;
  readonly text: string;
  readonly half: 'tune' | 'report';
}

const CORPUS = join(PACKAGE_ROOT, 'test/queue/corpus/deferrals.tsv');

const samples: readonly Sample[] = readFileSync(CORPUS, 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => {
    const [expected = '', source = '', text = ''] = line.split('\t');
    assert.ok(isCause(expected) && source !== '' && text !== '', line);
    const first = createHash('sha256').update(text).digest()[0] ?? 0;
    return { expected, text, half: first % 2 === 0 ? 'tune' : 'report' };
  });

describe('the corpus of deferrals', () => {
  it('has at least 300 different texts, of every class that a text can have', () => {
    assert.ok(samples.length >= 300, `${samples.length} texts`);
    assert.equal(new Set(samples.map(({ text }) => text)).size, samples.length);
    const classes = new Set(samples.map(({ expected }) => expected));
    assert.deepEqual(
      CAUSE_IDS.filter((id) => id !== 'notTried' && !classes.has(id)),
      [],
    );
  });

  for (const half of ['tune', 'report'] as const) {
    it(`is sorted as an expert does it, in the half to ${half} on, and never wrong with confidence`, (t) => {
      const own = samples.filter((sample) => sample.half === half);
      const wrong = own.filter(({ text, expected }) => classify(text) !== expected);
      const share = 100 * (1 - wrong.length / own.length);
      t.diagnostic(`${own.length} texts, ${share.toFixed(1)} % right`);
      assert.ok(share >= 95, `${share.toFixed(1)} % right`);
      assert.deepEqual(
        wrong.filter(({ text }) => classify(text) !== 'unknown'),
        [],
      );
    });
  }
});

describe('classify', () => {
  it('tells a recipient that was not tried yet', () => {
    assert.equal(classify(''), 'notTried');
  });

  it('leaves what it does not know unknown', () => {
    for (const text of [
      'host mx.example[192.0.2.1] said: 450 4.0.0 Kaffee ist alle (in reply to DATA command)',
      'host mx.example[192.0.2.1] said: 499',
      'something new that no Postfix has ever said',
      '<script>alert(1)</script>',
    ]) {
      assert.equal(classify(text), 'unknown', text);
    }
  });

  it('reads the codes of every line of a reply away, and no address for a code', () => {
    const parsed = parseReason(
      'host mx.example[192.0.2.1] said: 450-4.2.1 The user is receiving 450-4.2.1 mail from 5.1.1.1 450 4.2.1 too quickly (in reply to RCPT TO command)',
    );
    assert.equal(parsed.code, 450);
    assert.equal(parsed.enhanced, '2.1');
    assert.equal(parsed.words, 'the user is receiving mail from 5.1.1.1 too quickly');
  });

  it('never throws, and is never slow, whatever a server says', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 400 }), (words) => {
        for (const before of ['', 'host a[1.2.3.4] said: 451 ', 'connect to a[::1]:25: ']) {
          assert.ok(isCause(classify(before + words)));
        }
      }),
    );
    // Each of these repeats what a careless pattern would try again and again.
    for (const piece of [
      'user ',
      'sender reject',
      'mailbox ',
      'exceed quota ',
      '450-4.2.1 ',
      '(',
      '[',
    ]) {
      const started = process.cpuUsage().user;
      classify(`host a[1.2.3.4] said: 450 4.2.1 ${piece.repeat(4_000)}`);
      const spent = process.cpuUsage().user - started;
      assert.ok(spent < 2_000_000, `${piece}: ${spent} µs`);
    }
  });
});

describe('causes', () => {
  it('fit into a byte, each at its own place', () => {
    assert.ok(CAUSES.length <= 256);
    assert.deepEqual(
      CAUSE_IDS.map((id) => causePosition(id)),
      CAUSE_IDS.map((_, at) => at),
    );
  });
});
