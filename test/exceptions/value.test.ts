import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { exceptionLists, exceptionsSchema } from '../../lib/exceptions/schema.js';
import { displayException, isException, parseException } from '../../lib/exceptions/value.js';
import { hostileTexts, IDN_TRICKS } from '../attack/hostile.js';

describe('an exception', () => {
  const good: readonly (readonly [typed: string, kind: string, value: string])[] = [
    ['example.com', 'domain', 'example.com'],
    ['@Example.COM', 'domain', 'example.com'],
    ['müller.example', 'domain', 'xn--mller-kva.example'],
    ['beef.cafe', 'domain', 'beef.cafe'],
    ['Anna.Smith+x@Example.com', 'address', 'anna.smith+x@example.com'],
    ['192.0.2.7', 'ip', '192.0.2.7'],
    ['192.0.2.7/32', 'ip', '192.0.2.7'],
    ['192.0.2.0/24', 'network', '192.0.2.0/24'],
    ['192.0.2.0/255.255.255.0', 'network', '192.0.2.0/24'],
    ['::ffff:192.0.2.7', 'ip', '192.0.2.7'],
    ['[2001:DB8::1]', 'ip', '2001:db8::1'],
    ['2001:db8::/48', 'network', '2001:db8::/48'],
  ];
  for (const [typed, kind, value] of good) {
    it(`${typed} is ${kind} ${value}`, () => {
      assert.deepEqual(parseException(typed), { kind, value });
      assert.ok(isException(value));
      assert.deepEqual(parseException(displayException(value)), { kind, value });
    });
  }

  const bad: readonly (readonly [typed: string, fault: string])[] = [
    ['', 'empty'],
    ['.', 'shape'],
    ['.', 'shape'],
    ['com', 'bareDomain'],
    ['@com', 'bareDomain'],
    ['*.example.com', 'domain'],
    ['anna@', 'address'],
    ['anna@com', 'address'],
    ['a b@example.com', 'address'],
    ["o'hara@example.com", 'address'],
    ['0.0.0.0/0', 'everyone'],
    ['::/0', 'everyone'],
    ['16.0.0.0/4', 'tooWide'],
    ['192.0.2.7/24', 'hostBits'],
    ['192.0.2.0/33', 'prefix'],
    ['127.0.0.1', 'unusable'],
    ['300.1.2.3', 'shape'],
    ['0x7f.1', 'shape'],
  ];
  for (const [typed, fault] of bad) {
    it(`${JSON.stringify(typed)} is none: ${fault}`, () => {
      const parsed = parseException(typed);
      assert.ok('fault' in parsed, JSON.stringify(parsed));
      if (fault !== 'shape') assert.equal(parsed.fault, fault);
    });
  }

  it('offers the network that was probably meant', () => {
    assert.deepEqual(parseException('192.0.2.7/24'), {
      fault: 'hostBits',
      suggestion: '192.0.2.0/24',
    });
  });

  it('is never a text that could be more than a key', () => {
    for (const text of [...hostileTexts('/tmp/canary'), ...IDN_TRICKS]) {
      const { error } = exceptionsSchema.validate({ values: [text] }, { convert: false });
      assert.ok(error !== undefined || /^[a-z0-9.@_%+=&~:/-]+$/.test(text), text.slice(0, 40));
    }
  });

  it('is given to other sections by kind', () => {
    const values = ['example.com', 'a@b.example', '192.0.2.7', '2001:db8::/48'];
    assert.deepEqual(exceptionLists({ values }), {
      domains: ['example.com'],
      addresses: ['a@b.example'],
      ips: ['192.0.2.7'],
      networks: ['2001:db8::/48'],
    });
    assert.deepEqual(exceptionLists(undefined).domains, []);
  });
});
