import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { expectationOf } from '../../lib/privileged/apply/prove.js';
import { pathsBelow } from '../../lib/privileged/paths.js';
import { configView } from '../support/config-view.js';

const ANY = 'smtp inet n - y - - smtpd';

/** Where the banner is asked with this in main.cf, and this port-25 service in master.cf. */
function askedAt(set: Readonly<Record<string, string>>, service = ANY): string | undefined {
  return expectationOf(configView(set, [service]), pathsBelow(null)).listener?.host;
}

describe('the address at which the banner is asked', () => {
  it('is the one that master.cf names', () => {
    const service = '192.0.2.7:smtp inet n - y - - smtpd';
    assert.equal(askedAt({ inet_interfaces: 'all' }, service), '192.0.2.7');
    assert.equal(askedAt({}, '[2001:db8::7]:25 inet n - y - - smtpd'), '2001:db8::7');
  });

  it('is loopback where Postfix listens there', () => {
    for (const inet_interfaces of ['', 'all', 'loopback-only', '192.0.2.5, 127.0.0.1', 'localhost'])
      assert.equal(askedAt({ inet_interfaces }), '127.0.0.1', inet_interfaces);
    assert.equal(askedAt({ inet_interfaces: 'all', inet_protocols: 'ipv6' }), '::1');
  });

  it('is an address of inet_interfaces where loopback is not among them', () => {
    assert.equal(askedAt({ inet_interfaces: '192.0.2.5' }), '192.0.2.5');
    assert.equal(askedAt({ inet_interfaces: 'mx.example, [2001:db8::5]' }), '2001:db8::5');
    const named = { inet_interfaces: '$myhostname', myhostname: 'mx.example' };
    assert.equal(askedAt(named), 'mx.example');
  });
});
