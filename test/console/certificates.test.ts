import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { readCertificates } from '../../lib/console/certificates/folder.js';

const DAY_MS = 24 * 60 * 60 * 1000;

describe('the folder of certificates', () => {
  let folder: string;
  const at = (name: string) => join(folder, name);
  const make = (name: string, names: string) =>
    promisify(execFile)('/usr/bin/openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
      ...['-days', '30', '-subj', '/CN=ignored.example', '-addext', `subjectAltName=${names}`],
      ...['-keyout', at(`${name}.key`), '-out', at(`${name}.crt`)],
    ]);
  const read = async (now?: Date) =>
    new Map((await readCertificates(folder, now)).map((one) => [one.id, one]));

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'certificates-'));
    await make('good', 'DNS:mail.example.com,DNS:*.example.org,IP:192.0.2.1');
    await make('other', 'DNS:other.example.com');
    await copyFile(at('good.crt'), at('mixed.pem'));
    await copyFile(at('other.key'), at('mixed.key'));
    await copyFile(at('good.crt'), at('lonely.crt'));
    await copyFile(at('good.crt'), at('locked.crt'));
    await writeFile(at('locked.key'), 'no key at all');
    await writeFile(at('broken.crt'), 'no certificate');
    await writeFile(at('README.txt'), 'not a pair');
    await writeFile(at('-dash.crt'), 'a name that could be an option');
  });
  after(() => rm(folder, { recursive: true }));

  it('gives names and expiry of a good pair', async () => {
    const good = (await read()).get('good');
    assert.deepEqual(good?.names, ['mail.example.com', '*.example.org']);
    assert.equal(good?.label, 'mail.example.com');
    assert.equal(good?.problem, null);
    const days = ((good?.expires.getTime() ?? 0) - Date.now()) / DAY_MS;
    assert.ok(days > 29 && days < 31);
  });

  it('says why a pair cannot be used', async () => {
    const all = await read();
    const problem = (id: string) => all.get(id)?.problem;
    assert.equal(problem('mixed'), 'certificate.problem.keyOther');
    assert.equal(problem('lonely'), 'certificate.problem.keyMissing');
    assert.equal(problem('locked'), 'certificate.problem.keyUnreadable');
    assert.equal(problem('broken'), 'certificate.problem.unreadable');
    assert.deepEqual([...all.keys()], ['broken', 'good', 'locked', 'lonely', 'mixed', 'other']);
  });

  it('says when a certificate is over, or not valid yet', async () => {
    const late = await read(new Date(Date.now() + 31 * DAY_MS));
    assert.equal(late.get('good')?.problem, 'certificate.problem.expired');
    const early = await read(new Date(Date.now() - DAY_MS));
    assert.equal(early.get('good')?.problem, 'certificate.problem.early');
  });

  it('may be missing', async () => {
    assert.deepEqual(await readCertificates(join(folder, 'nowhere')), []);
  });
});
