import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  contradiction,
  nextHop,
  NO_SMARTHOST,
  passwordFault,
  smarthostSchema,
  usernameFault,
  type SmarthostSettings,
} from '../../lib/smarthost/schema.js';

const BOX = `mb1.${'A'.repeat(100)}`;
const good: SmarthostSettings = {
  ...NO_SMARTHOST,
  host: 'mail.example.org',
  username: 'me',
  password: BOX,
};
const fault = (changes: object) =>
  smarthostSchema.validate({ ...good, ...changes }, { convert: false }).error?.details[0]?.path[0];

describe('the settings of the smarthost', () => {
  it('may name a host, an IPv4 or an IPv6 address, and any port', () => {
    for (const host of ['mail.example.org', 'relay', 'xn--mller-kva.example', 'a.b']) {
      assert.equal(fault({ host }), undefined, host);
    }
    for (const host of ['192.0.2.1', '2001:db8::1']) {
      assert.equal(fault({ host, verify: false }), undefined, host);
    }
    for (const port of [1, 25, 465, 587, 2525, 65_535]) assert.equal(fault({ port }), undefined);
    for (const port of [0, 65_536, 1.5, '25', Number.NaN]) assert.equal(fault({ port }), 'port');
  });

  it('name no host that Postfix would read as something else', () => {
    const wrong = [
      ' mail.example.org',
      'mail.example.org ',
      '[mail.example.org]',
      'mail.example.org:25',
      'mail.example.org, other',
      'mail.example.org\nsmtp_sasl_auth_enable=no',
      '$myhostname',
      '-x',
      'a'.repeat(300),
      '127.1',
    ];
    for (const host of wrong) assert.equal(fault({ host }), 'host', JSON.stringify(host));
  });

  it('go together: no login without a server, no half login, no impossible check', () => {
    assert.equal(contradiction(good), null);
    assert.equal(contradiction({ ...good, host: '' }), 'host');
    assert.equal(contradiction({ ...good, username: '' }), 'username');
    assert.equal(contradiction({ ...good, password: '' }), 'password');
    assert.equal(contradiction({ ...good, host: '192.0.2.1' }), 'verify');
    assert.equal(contradiction({ ...good, host: '192.0.2.1', verify: false, mx: true }), 'mx');
    assert.equal(contradiction({ ...good, host: '192.0.2.1', tls: 'may' }), null);
    assert.equal(contradiction(NO_SMARTHOST), null);
  });

  it('hold a sealed password, never a readable one', () => {
    for (const password of ['secret', 'mb1.', `mb1.${'A'.repeat(40)}\n`, `${BOX} `]) {
      assert.equal(fault({ password }), 'password', JSON.stringify(password));
    }
  });

  it('know nothing else', () => {
    assert.equal(fault({ command: '|/bin/sh' }), 'command');
  });

  it('name the server as Postfix does', () => {
    assert.equal(nextHop(good), '[mail.example.org]:587');
    assert.equal(nextHop({ ...good, mx: true, port: 25 }), 'mail.example.org:25');
    assert.equal(nextHop({ ...good, host: '2001:db8::1' }), '[2001:db8::1]:587');
  });
});

describe('a user name', () => {
  it('may have two characters, blanks and umlauts inside', () => {
    for (const name of ['me', 'me@example.org', 'Jürgen Groß', 'a'.repeat(255), '#x', '"me"']) {
      assert.equal(usernameFault(name), null, name);
    }
  });

  it('may not have what Postfix cannot send', () => {
    assert.equal(usernameFault('m'), 'short');
    assert.equal(usernameFault('a'.repeat(256)), 'long');
    assert.equal(usernameFault('me:you'), 'colon');
    for (const name of [' me', 'me ', 'm\ne', 'me\0', 'me\u2028']) {
      assert.equal(usernameFault(name), 'control', JSON.stringify(name));
    }
  });
});

describe('a password', () => {
  it('may hold blanks, colons and every other printable character, also at its beginning', () => {
    for (const password of [
      ' a b',
      ':',
      '|',
      '+',
      '#',
      '"',
      '\\',
      '$x',
      'ä€🙂',
      '%s',
      'x'.repeat(1024),
    ]) {
      assert.equal(passwordFault(password), null, password);
    }
    const printable = fc.string({ unit: 'grapheme-ascii', minLength: 1 });
    fc.assert(
      fc.property(printable, (password) => {
        assert.equal(passwordFault(password), password.endsWith(' ') ? 'trailing' : null);
      }),
    );
  });

  it('may not have what would end the line, or what postmap takes away', () => {
    assert.equal(passwordFault(''), 'empty');
    assert.equal(passwordFault('a '), 'trailing');
    assert.equal(passwordFault('a\u00a0'), null);
    assert.equal(passwordFault('x'.repeat(1025)), 'long');
    for (const password of ['a\nb', 'a\rb', 'a\0', '\ta', 'a\u0085b', 'a\u2028b', '\ud800']) {
      assert.equal(passwordFault(password), 'control', JSON.stringify(password));
    }
  });
});
