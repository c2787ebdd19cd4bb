import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkSpf } from '../../lib/domains/spf.js';
import { fakeDns, type Zone } from '../support/fake-dns.js';

const US = '198.51.100.7';

describe('an SPF record', () => {
  const cases: readonly (readonly [
    record: string,
    expected: string,
    zones?: Record<string, Zone>,
  ])[] = [
    ['v=spf1 ip4:198.51.100.7 -all', 'pass'],
    ['v=spf1 ip4:198.51.100.0/24 -all', 'pass'],
    ['v=spf1 ip4:203.0.113.0/24 -all', 'fail'],
    ['v=spf1 ip6:2001:db8::/32 ~all', 'softfail'],
    ['v=spf1 ip4:203.0.113.1', 'neutral'],
    ['v=spf1 ?all', 'neutral'],
    ['v=spf1 a -all', 'fail'],
    ['v=spf1 a:mail.example.com -all', 'pass', { 'mail.example.com': { a: [US] } }],
    ['v=spf1 mx/24 -all', 'pass', { 'mx.example.com': { a: ['198.51.100.9'] } }],
    ['v=spf1 -a:mail.example.com +all', 'fail', { 'mail.example.com': { a: [US] } }],
    [
      'v=spf1 include:_spf.example.net -all',
      'pass',
      { '_spf.example.net': { txt: [`v=spf1 ip4:${US} -all`] } },
    ],
    [
      'v=spf1 include:_spf.example.net -all',
      'fail',
      { '_spf.example.net': { txt: ['v=spf1 -all'] } },
    ],
    [
      'v=spf1 redirect=_spf.example.net',
      'pass',
      { '_spf.example.net': { txt: [`v=spf1 ip4:${US}`] } },
    ],
    ['v=spf1 exp=why.example.net -all', 'fail'],
    ['V=SPF1 IP4:198.51.100.7 -ALL', 'pass'],
  ];
  for (const [record, expected, zones = {}] of cases) {
    it(`says ${expected}: ${record}`, async () => {
      const mx = [[10, 'mx.example.com']] as const;
      const dns = fakeDns({ 'example.com': { txt: ['other', record], mx }, ...zones });
      assert.equal(await checkSpf(dns, 'example.com', US), expected);
    });
  }

  const broken: readonly (readonly [record: string, zones?: Record<string, Zone>])[] = [
    ['v=spf1 include:nowhere.example -all'],
    ['v=spf1 ip4:300.1.2.3 -all'],
    ['v=spf1 ip4:198.51.100.7/x -all'],
    ['v=spf1 unknown:x -all'],
    ['v=spf1 a:%{d}.example -all'],
    ['v=spf1 include:example.com -all'],
    ['v=spf1 ' + 'a:h.example '.repeat(11) + '-all'],
    ['v=spf1 redirect=nowhere.example'],
  ];
  for (const [record] of broken) {
    it(`counts as broken: ${record.slice(0, 50)}`, async () => {
      const dns = fakeDns({ 'example.com': { txt: [record] } });
      assert.equal(await checkSpf(dns, 'example.com', US), 'permerror');
    });
  }

  it('counts as broken when there are two', async () => {
    const dns = fakeDns({ 'example.com': { txt: ['v=spf1 +all', 'v=spf1 -all'] } });
    assert.equal(await checkSpf(dns, 'example.com', US), 'permerror');
  });

  it('is none when there is none', async () => {
    assert.equal(await checkSpf(fakeDns({}), 'example.com', US), 'none');
    const dns = fakeDns({ 'example.com': { txt: ['v=spf10 +all'] } });
    assert.equal(await checkSpf(dns, 'example.com', US), 'none');
  });

  it('cannot be told while the DNS is away', async () => {
    const dns = fakeDns({ 'example.com': { fails: 'ETIMEOUT' } });
    await assert.rejects(checkSpf(dns, 'example.com', US), { code: 'ETIMEOUT' });
  });
});
