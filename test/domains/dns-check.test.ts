import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkDomain, type CheckedServer, type DnsFindings } from '../../lib/domains/dns-check.js';
import { fakeDns, type Zone } from '../support/fake-dns.js';

// Documentation addresses count as private, so this is one of the others.
const US = '9.20.30.40';
const SERVER: CheckedServer = {
  name: 'mail.acme.org',
  addresses: ['192.168.1.5'],
  signing: { keys: [], unreadable: [] },
};
const FINE: Readonly<Record<string, Zone>> = {
  'mail.acme.org': { a: [US] },
  [US]: { ptr: ['mail.acme.org'] },
  'acme.org': { mx: [[10, 'mail.acme.org']], txt: ['v=spf1 mx -all'] },
};

const check = (zones: Readonly<Record<string, Zone>>): Promise<DnsFindings> =>
  checkDomain(fakeDns({ ...FINE, ...zones }), 'acme.org', SERVER);

/** The last part of each finding's key with its state. */
const brief = ({ mx, ptr, spf, dkim }: DnsFindings): string =>
  [mx, ptr, spf, dkim]
    .map(({ state, key }) => `${state} ${key.replace('domains.check.', '')}`)
    .join(', ');

describe('the DNS check of a domain', () => {
  it('finds everything right', async () => {
    assert.equal(
      brief(await check({})),
      'ok mx.here, ok ptr.same, ok spf.pass, off dkim.notSigned',
    );
  });

  it('sees where the mail goes', async () => {
    const elsewhere: Zone = { mx: [[10, 'mx.provider.org']], txt: ['v=spf1 mx ~all'] };
    const provider = { 'mx.provider.org': { a: ['203.0.113.1'] } };
    const found = await check({ 'acme.org': elsewhere, ...provider });
    assert.match(brief(found), /^warn mx.elsewhere,.*warn spf.doubtful, /);
    assert.equal(found.mx.values['host'], 'mx.provider.org');
    const second: Zone = {
      mx: [
        [20, 'mail.acme.org'],
        [10, 'mx.provider.org'],
      ],
    };
    assert.match(brief(await check({ 'acme.org': second, ...provider })), /^warn mx.second/);
    const dead: Zone = { mx: [[10, 'gone.acme.org']] };
    assert.match(brief(await check({ 'acme.org': dead })), /^bad mx.dead/);
    const nothing: Zone = { mx: [[0, '']] };
    assert.match(brief(await check({ 'acme.org': nothing })), /^bad mx.null/);
    assert.match(brief(await check({ 'acme.org': {} })), /^bad mx.none/);
    assert.match(brief(await check({ 'acme.org': { a: [US] } })), /^ok mx.addressHere/);
    const web: Zone = { a: ['203.0.113.80'] };
    assert.match(brief(await check({ 'acme.org': web })), /^warn mx.addressElsewhere/);
  });

  it('sees whether the address bears the name', async () => {
    const other = { [US]: { ptr: ['dsl-7.provider.org'] } };
    assert.match(brief(await check(other)), /warn ptr.other/);
    assert.match(brief(await check({ [US]: {} })), /bad ptr.none/);
    assert.match(brief(await check({ 'mail.acme.org': {} })), /bad ptr.unknownName/);
    assert.match(
      brief(await check({ 'mail.acme.org': { a: ['192.168.1.5'] } })),
      /off ptr.private/,
    );
  });

  it('sees whether this server may send', async () => {
    const spf = async (...txt: string[]): Promise<string> =>
      brief(await check({ 'acme.org': { mx: [[10, 'mail.acme.org']], txt } }));
    assert.match(await spf(), /warn spf.none/);
    assert.match(await spf('v=spf1 -all', 'v=spf1 mx'), /bad spf.several/);
    assert.match(await spf('v=spf1 ip4:203.0.113.1 -all'), /bad spf.fail/);
    assert.match(await spf('v=spf1 ip4:nonsense'), /bad spf.broken/);
  });

  it('says that the DNS is away, and nothing worse', async () => {
    const zones = { 'acme.org': { fails: 'ETIMEOUT' }, 'mail.acme.org': { fails: 'ECONNREFUSED' } };
    const signing = {
      keys: [{ domain: 'acme.org', selector: 's1', kind: 'rsa' as const, publicKey: 'AAAA' }],
      unreadable: [],
    };
    const away = fakeDns({ ...FINE, ...zones, 's1._domainkey.acme.org': { fails: 'ETIMEOUT' } });
    const found = await checkDomain(away, 'acme.org', { ...SERVER, signing });
    assert.equal(brief(found), 'off noAnswer, off noAnswer, off noAnswer, off noAnswer');
    assert.equal(found.mx.values['reason'], 'ETIMEOUT');
  });

  it('asks nobody outside about internal names', async () => {
    const dns = fakeDns({});
    for (const name of ['intranet', 'acme.local', 'acme.lan', 'x.home.arpa']) {
      const { mx } = await checkDomain(dns, name, SERVER);
      assert.equal(mx.key, 'domains.check.internal');
    }
    assert.deepEqual(dns.asked, []);
  });
});
