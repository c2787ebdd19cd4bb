import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  concernOf,
  containsNetwork,
  firstMachine,
  formatElement,
  formatNetwork,
  kindOf,
  parseElement,
  parseNetwork,
  refusalOf,
  sizeOf,
  type Network,
} from '../../lib/relay-subnets/network.js';

function network(text: string): Network {
  const parsed = parseNetwork(text);
  if (!('network' in parsed)) throw new Error(`${text}: ${parsed.fault}`);
  return parsed.network;
}

describe('a network somebody typed', () => {
  it('is understood with a prefix, with a netmask, alone, and with brackets', () => {
    const meanings = {
      '192.168.10.0/24': '192.168.10.0/24',
      '192.168.10.0/255.255.255.0': '192.168.10.0/24',
      '192.168.10.7': '192.168.10.7',
      '192.168.10.7/32': '192.168.10.7',
      'FD12:0:0:0::/48': 'fd12::/48',
      '[2001:db8:1::]/64': '2001:db8:1::/64',
      '[2001:db8::7]': '2001:db8::7',
      '2001:db8::7/128': '2001:db8::7',
    };
    for (const [typed, meant] of Object.entries(meanings)) {
      assert.equal(formatNetwork(network(typed)), meant);
    }
  });

  it('in IPv4-mapped form is the IPv4 network it stands for', () => {
    assert.equal(formatNetwork(network('::ffff:192.168.10.0/120')), '192.168.10.0/24');
    assert.equal(formatNetwork(network('[::ffff:a00:0]/104')), '10.0.0.0/8');
    assert.equal(formatNetwork(network('::ffff:10.1.2.3')), '10.1.2.3');
    assert.equal(refusalOf(network('::ffff:0:0/96')), 'everyone');
  });

  it('with host bits is refused, and the right network and the one machine are offered', () => {
    assert.deepEqual(parseNetwork('192.168.10.7/24'), {
      fault: 'hostBits',
      suggestions: ['192.168.10.0/24', '192.168.10.7'],
    });
    assert.deepEqual(parseNetwork('fd12::5/48'), {
      fault: 'hostBits',
      suggestions: ['fd12::/48', 'fd12::5'],
    });
  });

  it('is refused when it is something else', () => {
    const wrong = [
      '',
      'office',
      '192.168.10',
      '300.1.2.3/40',
      '192.168.10.0/33',
      'fd12::/129',
      '192.168.10.0/-1',
      '192.168.10.0/024',
      '192.168.10.0/255.0.255.0',
      '192.168.10.0/24/24',
      '192.168.10.1-192.168.10.9',
      '010.0.0.1',
      '0x7f.1',
      '127.1',
      'fe80::1%eth0',
      '[fd12::/48',
      '[192.168.1.1',
      '!192.168.10.0/24',
      'hash:/etc/postfix/networks',
      '/etc/postfix/networks',
      '192.168.10.0/24, 0.0.0.0/0',
      '192.168.10.0/24\n0.0.0.0/0',
      '$mydestination',
      ' 192.168.10.0/24',
    ];
    for (const typed of wrong) assert.ok('fault' in parseNetwork(typed), typed);
  });

  it('never has host bits set, and reads back as it is written, in both forms', () => {
    const address = fc.oneof(fc.ipV4(), fc.ipV6());
    fc.assert(
      fc.property(address, fc.nat(128), (text, prefix) => {
        const parsed = parseNetwork(`${text}/${prefix}`);
        if (isIP(text) === 4 && prefix > 32) {
          assert.ok('fault' in parsed);
          return;
        }
        const texts = 'network' in parsed ? [formatNetwork(parsed.network)] : parsed.suggestions;
        for (const one of texts) {
          assert.equal(formatNetwork(network(one)), one);
          assert.deepEqual(parseElement(formatElement(network(one))), network(one));
        }
      }),
    );
  });
});

describe('what a network is', () => {
  it('is said for each kind', () => {
    const kinds = {
      '127.0.0.0/8': 'loopback',
      '127.0.0.1': 'loopback',
      '::1': 'loopback',
      '10.0.0.0/8': 'private',
      '172.31.0.0/16': 'private',
      '192.168.0.0/16': 'private',
      'fd12::/48': 'private',
      'fe80::/10': 'linkLocal',
      '169.254.0.0/16': 'linkLocal',
      '100.64.0.0/10': 'shared',
      '203.0.113.0/24': 'documentation',
      '8.8.8.0/24': 'public',
      '2600::/48': 'public',
      '224.0.0.0/4': 'unusable',
      '255.255.255.255': 'unusable',
      '0.0.0.0/8': 'unusable',
      '::': 'unusable',
      'ff02::1': 'unusable',
    };
    for (const [text, kind] of Object.entries(kinds))
      assert.equal(kindOf(network(text)), kind, text);
  });

  it('is public when a part of it is', () => {
    assert.equal(kindOf(network('172.0.0.0/8')), 'public');
    assert.equal(kindOf(network('192.0.0.0/8')), 'public');
    assert.equal(kindOf(network('f800::/5')), 'public');
  });

  it('counts its addresses', () => {
    assert.equal(sizeOf(network('192.168.10.0/24')), 256n);
    assert.equal(sizeOf(network('192.168.10.7')), 1n);
    assert.equal(sizeOf(network('fd12::/48')), 2n ** 80n);
  });

  it('names a machine in it', () => {
    assert.equal(firstMachine(network('192.168.10.0/24')), '192.168.10.1');
    assert.equal(firstMachine(network('192.168.10.7')), '192.168.10.7');
    assert.equal(firstMachine(network('192.168.10.6/31')), '192.168.10.6');
    assert.equal(firstMachine(network('fd12::/48')), 'fd12::1');
  });

  it('contains what lies in it', () => {
    assert.ok(containsNetwork(network('10.0.0.0/8'), network('10.1.2.0/24')));
    assert.ok(containsNetwork(network('10.0.0.0/8'), network('10.0.0.0/8')));
    assert.ok(!containsNetwork(network('10.1.0.0/16'), network('10.0.0.0/8')));
    assert.ok(!containsNetwork(network('10.0.0.0/8'), network('fd12::/48')));
  });
});

describe('who may be let in', () => {
  it('is never everybody, nobody, or more public addresses than anybody has', () => {
    const refused = {
      '0.0.0.0/0': 'everyone',
      '::/0': 'everyone',
      '0.0.0.0/1': 'tooWide',
      '128.0.0.0/1': 'tooWide',
      '8.0.0.0/7': 'tooWide',
      '2000::/3': 'tooWide',
      '224.0.0.0/4': 'unusable',
    };
    for (const [text, why] of Object.entries(refused)) assert.equal(refusalOf(network(text)), why);
    for (const text of ['10.0.0.0/8', '8.0.0.0/8', 'fc00::/7', '2600::/16', '127.0.0.0/8']) {
      assert.equal(refusalOf(network(text)), null, text);
    }
  });

  it('needs a second yes when it is public or very wide', () => {
    const concerns = {
      '203.0.113.7': 'public',
      '8.8.8.0/24': 'public',
      '2600::/64': 'public',
      '100.64.0.0/24': 'public',
      '10.0.0.0/8': 'wide',
      'fd00::/8': 'wide',
      '192.168.0.0/16': null,
      'fd12::/48': null,
      '127.0.0.0/8': null,
    };
    for (const [text, concern] of Object.entries(concerns)) {
      assert.equal(concernOf(network(text)), concern, text);
    }
  });
});
