import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { amavisKeys } from '../../../lib/privileged/dkim/amavis.js';

/** What the real amavis needs to read its configuration. */
const LEAST = `use strict;
$daemon_user = 'amavis'; $daemon_group = 'amavis'; $enable_db = 0; $enable_zmq = 0;
$myhostname = 'lab.localdomain'; $mydomain = 'localdomain';
`;

describe('what amavis signs', () => {
  let folder: string;
  let key: string;
  let published: string;
  before(() => {
    // Below a folder that amavis, which is another user, can enter.
    folder = mkdtempSync('/run/mailserver-dkim-test-');
    chmodSync(folder, 0o755);
    key = join(folder, 'key.pem');
    execFileSync('/usr/sbin/amavisd', ['genrsa', key, '1024'], { stdio: 'ignore' });
    execFileSync('chown', ['amavis', key]);
    published = execFileSync('openssl', ['rsa', '-in', key, '-pubout', '-outform', 'DER'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    }).toString('base64');
  });
  after(() => rmSync(folder, { recursive: true }));

  const keys = (text: string) => {
    const file = join(folder, 'amavisd.conf');
    writeFileSync(file, `${LEAST}${text}\n1;\n`);
    return amavisKeys([file], folder);
  };
  const key1 = (domain: string): string => `dkim_key('${domain}', 's1', '${key}');`;
  const ON = '$enable_dkim_signing = 1;';
  const OURS = `$policy_bank{'MYNETS'} = { originating => 1 };`;

  it('is told by amavis itself, with the public key as others have to see it', async () => {
    const second = `dkim_key('acme.org', 's3', '${key}');`;
    const others = `${second} ${key1('*')} dkim_key(qr/^x/, 's2', '${key}');`;
    assert.deepEqual(await keys(`${ON} ${OURS} ${key1('Acme.org')} ${others}`), [
      { domain: 'acme.org', selector: 's1', kind: 'rsa', publicKey: published },
      { domain: '*', selector: 's1', kind: 'rsa', publicKey: published, except: ['acme.org'] },
    ]);
  });

  it('is nothing while signing is off, or no mail is ever ours', async () => {
    assert.deepEqual(await keys(`${OURS} ${key1('acme.org')}`), []);
    assert.deepEqual(await keys(`${ON} ${key1('acme.org')}`), []);
    const bank = `$policy_bank{'SUBMISSION'} = { enable_dkim_signing => 1, originating => 1 };`;
    assert.equal((await keys(`${bank} ${key1('acme.org')}`))?.length, 1);
  });

  it('is not known while amavis cannot read a key', async () => {
    assert.equal(await keys(`$enable_dkim_signing = 1; dkim_key('a.org', 's', '/nowhere');`), null);
  });
});
