import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { baseSchema, MAX_MESSAGE_SIZE_MB, type BaseSettings } from '../../lib/base/schema.js';

const GOOD: BaseSettings = {
  mailServerName: 'mail.example.org',
  maxMessageSizeMb: 10,
  delivery: 'lmtp',
  mailboxFormat: 'mbox',
  lmtpHost: '127.0.0.1',
  lmtpPort: 2003,
  unknownRecipient: 'refuse',
};

function refusedAt(change: Record<string, unknown>): string | undefined {
  const { error } = baseSchema.validate({ ...GOOD, ...change }, { convert: false });
  return error?.details[0]?.path.join('.');
}

describe('the settings of Base configuration', () => {
  it('take what a form can hold', () => {
    const good = [
      {},
      { mailServerName: '' },
      { mailServerName: 'a' },
      { mailServerName: 'xn--mller-kva.example' },
      { maxMessageSizeMb: null },
      { maxMessageSizeMb: 1 },
      { maxMessageSizeMb: MAX_MESSAGE_SIZE_MB },
      { lmtpHost: '::1' },
      { lmtpHost: '2001:db8::ffff:1.2.3.4' },
      { lmtpHost: 'groupware' },
      { lmtpPort: 1 },
      { lmtpPort: 65_535 },
    ];
    for (const change of good) assert.equal(refusedAt(change), undefined, JSON.stringify(change));
  });

  it('refuse every field that holds something else', () => {
    const bad: Record<string, readonly unknown[]> = {
      mailServerName: [
        ...[
          undefined,
          null,
          1,
          'Mail.example.org',
          'mail.example.org.',
          'müller.example',
          '1.2.3.4',
        ],
        ...['a\nb', ' a', 'a ', '$myhostname', 'a,b', 'a/b', '-a', '[1.2.3.4]', 'a\u2028', 'a\0'],
      ],
      maxMessageSizeMb: [
        ...[
          undefined,
          0,
          -1,
          0.5,
          MAX_MESSAGE_SIZE_MB + 1,
          Infinity,
          NaN,
          1e21,
          '10',
          'abc',
          [],
          {},
        ],
      ],
      delivery: [undefined, null, '', 'pipe', 'LMTP', ['lmtp'], 'lmtp\n', '__proto__'],
      mailboxFormat: [undefined, null, '', 'mmdf', '/var/mail/x'],
      lmtpHost: [
        ...[undefined, null, '', 'a b', '[::1]', '::1]', 'fe80::1%eth0', '::1%$(id)', '0x7f000001'],
        ...['127.1', '010.0.0.1', '1.2.3.4.5', 'unix:/run/x', 'a:24', 'a/b', '|sh', '$myhostname'],
      ],
      lmtpPort: [undefined, null, 0, -1, 65_536, 24.5, '24', NaN],
      unknownRecipient: [undefined, null, '', 'root', 'admin '],
    };
    for (const [field, values] of Object.entries(bad)) {
      for (const value of values) {
        assert.equal(refusedAt({ [field]: value }), field, `${field} ${JSON.stringify(value)}`);
      }
    }
    assert.equal(refusedAt({ extra: 1 }), 'extra');
    assert.ok(baseSchema.validate(undefined).error);
  });
});
