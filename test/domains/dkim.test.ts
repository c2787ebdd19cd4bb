import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, it } from 'node:test';
import { checkDkim, dkimRecord, type Signing, type SigningKey } from '../../lib/domains/dkim.js';
import { fakeDns } from '../support/fake-dns.js';

const pair = (): ReturnType<typeof generateKeyPairSync> =>
  generateKeyPairSync('rsa', { modulusLength: 1024 });
const { publicKey } = pair();
const OURS = publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
const BARE = publicKey.export({ format: 'der', type: 'pkcs1' }).toString('base64');
const THEIRS = pair().publicKey.export({ format: 'der', type: 'spki' }).toString('base64');

const KEY: SigningKey = { domain: 'acme.org', selector: 's1', kind: 'rsa', publicKey: OURS };
const NAME = 's1._domainkey.acme.org';

const check = (
  txt: readonly string[] | undefined,
  signing: Signing | null = { keys: [KEY], unreadable: [] },
) => checkDkim(fakeDns(txt === undefined ? {} : { [NAME]: { txt } }), 'acme.org', signing);

const brief = async (...args: Parameters<typeof check>): Promise<string> => {
  const { state, key } = await check(...args);
  return `${state} ${key.replace('domains.check.dkim.', '')}`;
};

describe('the DKIM check of a domain', () => {
  it('finds the key that signs here in the DNS, however the record is written', async () => {
    for (const record of [
      dkimRecord(KEY),
      `v=DKIM1; p=${OURS}`,
      `k=rsa ; t=s; p = ${OURS.slice(0, 30)} ${OURS.slice(30)};`,
      `v=DKIM1; p=${BARE}`,
    ]) {
      assert.equal(await brief([record]), 'ok same', record);
    }
    assert.equal(await brief(['unrelated', dkimRecord(KEY)]), 'ok same');
  });

  it('says what to publish where the DNS has nothing, another key, or one that was called back', async () => {
    assert.equal(await brief(undefined), 'bad missing');
    assert.equal(await brief(['google-site-verification=x']), 'bad missing');
    assert.equal(await brief([`v=DKIM2; p=${OURS}`]), 'bad missing');
    assert.equal(await brief([`v=DKIM1; p=${THEIRS}`]), 'bad other');
    assert.equal(await brief([`v=DKIM1; p=${OURS.slice(-20)}`]), 'bad other');
    assert.equal(await brief(['v=DKIM1; p=']), 'bad revoked');
    const { values } = await check(undefined);
    assert.equal(values['name'], NAME);
    assert.equal(values['record'], `v=DKIM1; k=rsa; p=${OURS}`);
  });

  it('judges every key that signs for the domain, those for each domain too', async () => {
    const second = { ...KEY, domain: '*', selector: 's2' };
    const found = await check([dkimRecord(KEY)], { keys: [KEY, second], unreadable: [] });
    assert.equal(found.key, 'domains.check.dkim.missing');
    assert.equal(found.values['selector'], 's2');
    const others = { ...second, except: ['acme.org'] };
    assert.equal(
      await brief([dkimRecord(KEY)], { keys: [KEY, others], unreadable: [] }),
      'ok same',
    );
  });

  it('says quietly that mail of the domain is not signed here', async () => {
    const foreign = { ...KEY, domain: 'other.org' };
    const found = await check(undefined, { keys: [foreign], unreadable: [] });
    assert.equal(`${found.state} ${found.key}`, 'off domains.check.dkim.notSigned');
    assert.equal(found.word, 'domains.check.word.notSigned');
  });

  it('says what cannot be known', async () => {
    assert.equal(await brief(undefined, null), 'off unknown');
    assert.equal(await brief(undefined, { keys: [], unreadable: ['amavis'] }), 'off unreadable');
    const dns = fakeDns({ [NAME]: { fails: 'ETIMEOUT' } });
    await assert.rejects(checkDkim(dns, 'acme.org', { keys: [KEY], unreadable: [] }));
  });
});
