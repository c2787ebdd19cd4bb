import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { opendkimKeys } from '../../../lib/privileged/dkim/opendkim.js';

describe('what OpenDKIM signs', () => {
  let folder: string;
  let file: string;
  let published: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'opendkim-'));
    file = join(folder, 'opendkim.conf');
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
    published = publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
    write('key.private', privateKey.export({ format: 'pem', type: 'pkcs1' }).toString());
  });
  after(() => rmSync(folder, { recursive: true }));
  beforeEach(() => rmSync(file, { force: true }));

  const write = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  /** `domain selector` of each key, after the configuration with these lines. */
  const signed = async (...lines: string[]): Promise<readonly string[] | null> => {
    write('opendkim.conf', `# As packaged\nSyslog yes\n${lines.join('\n')}\n`);
    const keys = await opendkimKeys(file);
    for (const { publicKey } of keys ?? []) assert.equal(publicKey, published);
    return keys && keys.map(({ domain, selector }) => `${domain} ${selector}`);
  };

  it('is nothing without it, or while it only checks', async () => {
    assert.deepEqual(await opendkimKeys(file), []);
    const one = ['Domain acme.org', 'Selector s1', `KeyFile ${join(folder, 'key.private')}`];
    assert.deepEqual(await signed('Mode v', ...one), []);
    assert.deepEqual(await signed('Mode sv'), []);
  });

  it('is read from the one key of the configuration', async () => {
    const key = `keyfile\t${join(folder, 'key.private')}`;
    assert.deepEqual(await signed('Domain  Acme.org, firma.example', 'Selector s1', key), [
      'acme.org s1',
      'firma.example s1',
    ]);
    const list = write('domains', 'acme.org # ours\n\nx.example\n');
    assert.deepEqual(await signed(`Domain file:${list}`, 'Selector s1', key), [
      'acme.org s1',
      'x.example s1',
    ]);
  });

  it('is read from the tables: for whom which key', async () => {
    const key = join(folder, 'key.private');
    const keys = write(
      'KeyTable',
      `k1 acme.org:s1:${key}\nk2 %:mail:${key}\nunused other.org:x:/nowhere\n`,
    );
    const senders = write(
      'SigningTable',
      `*@acme.org k1\nanna@firma.example k2\n.sub.example k2\n* k2\n*@y.example unknown\n`,
    );
    assert.deepEqual(await signed(`KeyTable ${keys}`, `SigningTable refile:${senders}`), [
      'acme.org s1',
      'firma.example mail',
      'sub.example mail',
      '* mail',
    ]);
  });

  it('is what the first entry for a domain says, unless several signatures were asked for', async () => {
    const key = join(folder, 'key.private');
    const keys = write(
      'KeyTable',
      `new acme.org:s2:${key}\nold acme.org:s1:${key}\neach %:mail:${key}\n`,
    );
    const patterns = write('patterns', '*@acme.org new\n*@acme.org old\n* each\n*@b.org each\n');
    const plain = write('plain', '* each\nacme.org new\n');
    const tables = [`KeyTable ${keys}`, `SigningTable refile:${patterns}`];
    assert.deepEqual(await signed(...tables), ['acme.org s2', '* mail', 'b.org mail']);
    const [, each] = (await opendkimKeys(file)) ?? [];
    assert.deepEqual(each?.except, ['acme.org']);
    assert.deepEqual(await signed(...tables, 'MultipleSignatures yes'), [
      ...['acme.org s2', 'acme.org s1', '* mail', 'b.org mail'],
    ]);
    assert.equal((await opendkimKeys(file))?.[2]?.except, undefined);
    assert.deepEqual(await signed(`KeyTable ${keys}`, `SigningTable ${plain}`), [
      ...['* mail', 'acme.org s2'],
    ]);
    assert.deepEqual((await opendkimKeys(file))?.[0]?.except, ['acme.org']);
  });

  it('is not known while another file is part of the configuration', async () => {
    assert.equal(await signed('Include /etc/opendkim/more.conf'), null);
  });

  it('is not known while a table or a key cannot be read', async () => {
    const table = write('KeyTable', 'k1 acme.org:s1:/nowhere/key\n');
    const senders = write('SigningTable', '*@acme.org k1\n');
    assert.equal(await signed(`KeyTable file:${table}`, `SigningTable refile:${senders}`), null);
    assert.equal(await signed('KeyTable dsn:mysql://x', `SigningTable refile:${senders}`), null);
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    assert.equal(await signed('Domain a.org', 'Selector s', `KeyFile ${pipe}`), null);
    const text = write('text', 'no key');
    assert.equal(await signed('Domain a.org', 'Selector s', `KeyFile ${text}`), null);
  });
});
