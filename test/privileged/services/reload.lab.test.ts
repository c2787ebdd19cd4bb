/** A reload is over when nobody goes by the old configuration any more, and a start when Postfix is there. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { postfixService } from '../../../lib/privileged/services/postfix.js';
import { workersOf } from '../../../lib/privileged/services/processes.js';
import { startPostfixRoot, type PostfixRoot } from '../../support/postfix-root.js';
import { SmtpClient } from '../../support/smtp-client.js';
import { until } from '../../support/wait.js';

describe('a reload of Postfix', () => {
  let root: PostfixRoot;
  before(async () => {
    root = await startPostfixRoot();
  });
  after(() => root.stop());

  const smtpds = async (): Promise<number[]> => {
    const names = await Promise.all(
      (await workersOf(root.places)).map(async (pid) => ({
        pid: Number(pid),
        name: (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim(),
      })),
    );
    return names.filter(({ name }) => name === 'smtpd').map(({ pid }) => pid);
  };

  const reloads = async (): Promise<number> =>
    (await readFile(root.places.mailLog, 'utf8')).split(' reload -- version').length;

  it('waits for an idle process that is slow to end, so that the next mail meets the new one', async () => {
    // More than once where this machine is so busy that the process stays stopped for longer than is waited for.
    await until('a reload to wait', async () => {
      const [client] = await SmtpClient.open(root.smtpPort);
      await client.command('QUIT');
      client.close();
      const [old = assert.fail('no smtpd')] = await smtpds();
      const before = await reloads();
      process.kill(old, 'SIGSTOP');
      const left = postfixService(root.places).reload().then(smtpds);
      await until('the master to reload', async () => (await reloads()) > before);
      // As long as a busy machine may let it wait.
      await pause(300);
      process.kill(old, 'SIGCONT');
      return !(await left).includes(old);
    });
  });

  it('does not wait for ever for one that serves somebody', async () => {
    const [client] = await SmtpClient.open(root.smtpPort);
    await client.command('EHLO client.example');
    const [busy = assert.fail('no smtpd')] = await smtpds();
    assert.equal((await postfixService(root.places).reload()).code, 0);
    assert.ok((await smtpds()).includes(busy));
    assert.equal((await client.command('MAIL FROM:<a@b.example>')).code, 250);
    client.close();
  });

  it('that is down starts it, and says in the words of the log why it does not come up', async () => {
    const { helper, places, smtpPort } = root;
    const start = () => helper.call('postfix-start', {}, { actor: 'test' });
    await root.postfix('stop');
    await until('the end', async () => !(await postfixService(places).running()));
    const other = createServer();
    // The last process of Postfix may hold the port for a moment.
    await until('the port', async () =>
      once(other.listen(smtpPort, '127.0.0.1'), 'listening').then(
        () => true,
        () => false,
      ),
    );
    await assert.rejects(start(), { key: 'helper.activate.start', detail: /already in use/ });
    other.close();
    assert.equal((await start()).did, 'start');
    assert.equal((await start()).did, 'none');
    const [client, greeting] = await SmtpClient.open(root.smtpPort);
    assert.equal(greeting.code, 220);
    client.close();
  });
});
