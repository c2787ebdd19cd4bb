/** Strangers and exceptions from their pages to the mail, in a lab: saved, in force, excepted, and there again after a restart. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { startLab, type Lab } from '../support/lab.js';
import { SmtpClient, type Reply } from '../support/smtp-client.js';

const run = promisify(execFile);
const POLICY = '/mail/security/policy';
const EXCEPTIONS = '/mail/security/exceptions';

describe('strangers in a lab', () => {
  let root: string;
  let lab: Lab;
  before(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'mailserver-lab-'));
    lab = await startLab({ root });
    const setting = 'smtpd_authorized_xclient_hosts=127.0.0.1';
    await run('/usr/sbin/postconf', ['-c', lab.configDir, '-e', setting]);
  });
  after(async () => {
    await lab.stop();
    await rm(root, { recursive: true, force: true });
  });

  async function from(address: string): Promise<Reply> {
    const [client] = await SmtpClient.open(lab.smtpPort);
    try {
      await client.command(`XCLIENT ADDR=${address} NAME=client.example`);
      await client.command('EHLO client.example');
      await client.command('MAIL FROM:<sender@elsewhere.example>');
      return await client.command('RCPT TO:<alice@localhost>');
    } finally {
      client.close();
    }
  }

  it('are asked to come again once that was saved on the page, by the real postgrey', async () => {
    const client = await lab.signIn();
    const page = await client.submit(
      POLICY,
      { greylisting: 'yes' },
      { action: POLICY, button: 'intent=save' },
    );
    assert.equal(page.status, 200, page.text);
    assert.equal((await from('198.51.100.7')).code, 450);
    assert.match((await client.get(POLICY)).text, /Strangers are asked to come again/);
  });

  it('are let in once they are excepted, from the next mail on', async () => {
    const client = await lab.signIn();
    const page = await client.submit(
      `${EXCEPTIONS}/new`,
      { value: '198.51.100.7' },
      { action: `${EXCEPTIONS}/new`, button: 'intent=save' },
    );
    assert.equal(page.status, 200, page.text);
    assert.equal((await from('198.51.100.7')).code, 250);
    assert.equal((await from('198.51.100.8')).code, 450);
  });

  it('are asked again after the lab was stopped and started, and nothing of it runs in between', async () => {
    await lab.stop();
    assert.deepEqual(await policyServersOf(root), []);
    lab = await startLab({ root });
    assert.equal((await from('198.51.100.9')).code, 450);
    assert.equal((await from('198.51.100.7')).code, 250);
  });

  it('are taken as before when it is switched off', async () => {
    const client = await lab.signIn();
    await client.submit(POLICY, { greylisting: 'no' }, { action: POLICY, button: 'intent=save' });
    assert.equal((await from('198.51.100.8')).code, 250);
    assert.deepEqual(await policyServersOf(root), []);
  });
});

/** Process ids of what was started with a path below the root. */
async function policyServersOf(root: string): Promise<readonly string[]> {
  const { stdout } = await run('/usr/bin/ps', ['-eo', 'pid,args', '--no-headers']);
  return stdout
    .split('\n')
    .filter((line) => /postgrey|block-lists/.test(line) && line.includes(root));
}
