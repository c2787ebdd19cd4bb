import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { describe, it } from 'node:test';
import { ipFamily } from '../lib/ip.js';

const ADDRESSES = [
  ...['1.2.3.4', '255.255.255.255', '::', '::1', '2001:db8::1', 'fe80::', '::ffff:192.0.2.1'],
  ...['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:192.0.2.1', '1:2:3:4:5:6:7::', '::2:3:4:5:6:7:8'],
];
const SIGNS = '0123456789abcdefg:./[] ';

/** Every address with one sign taken out, put in or exchanged. */
function* neighbours(address: string): Iterable<string> {
  for (let at = 0; at <= address.length; at += 1) {
    const [before, after] = [address.slice(0, at), address.slice(at)];
    yield before + after.slice(1);
    for (const sign of SIGNS) yield before + sign + after;
    for (const sign of SIGNS) yield before + sign + after.slice(1);
  }
}

describe('the family of an address', () => {
  it('is what Node says, for addresses and for what is nearly one', () => {
    let count = 0;
    for (const address of ADDRESSES) {
      for (const text of [address, ...neighbours(address)]) {
        assert.equal(ipFamily(text), isIP(text), JSON.stringify(text));
        count += 1;
      }
    }
    assert.ok(count > 5_000);
  });

  it('is none with a zone, which is a name of this machine only', () => {
    assert.deepEqual(['fe80::1%eth0', '::1%', '%'].map(ipFamily), [0, 0, 0]);
  });
});
