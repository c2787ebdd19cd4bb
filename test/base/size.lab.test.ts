/** A size limit that somebody wrote by hand and that is none, and no limit at all. */
import assert from 'node:assert/strict';
import { utimes } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import type { BaseSettings } from '../../lib/base/schema.js';
import { startPostfixRoot, type PostfixRoot } from '../support/postfix-root.js';
import { Saver } from '../support/saver.js';
import { sendMail, SmtpClient } from '../support/smtp-client.js';

describe('the size limit of the running Postfix', () => {
  let root: PostfixRoot;
  let saver: Saver;
  before(async () => {
    root = await startPostfixRoot();
    saver = new Saver(root.helper);
    const { configDir } = root.places;
    await root.run('/usr/sbin/postconf', ['-c', configDir, '-e', 'message_size_limit=abc']);
    const then = Date.now() / 1000 - 60;
    await utimes(`${configDir}/main.cf`, then, then);
    await root.postfix('reload');
  });
  after(() => root.stop());

  it('that is “abc” by hand is told, and the next save puts it right', async () => {
    const { sections } = await root.helper.call('read', { sections: ['base'] }, { actor: 'test' });
    const reading = sections['base'];
    assert.deepEqual(reading?.unclear, [
      { parameter: 'message_size_limit', value: 'abc', key: 'base.unclear.size' },
    ]);
    const settings = reading.settings as BaseSettings;
    const result = await saver.save({ base: { ...settings, maxMessageSizeMb: 20 } });
    assert.equal(result.status, 'applied');
    const answer = await sendMail(root.smtpPort, { from: 'a@b.example', to: 'alice@localhost' });
    assert.equal(answer.data?.code, 250);
  });

  it('can be taken away: no size is announced, and no size refused', async () => {
    await saver.saveBase({ maxMessageSizeMb: null });
    const [client] = await SmtpClient.open(root.smtpPort);
    const hello = await client.command('EHLO client.example');
    client.close();
    assert.match(hello.text, /^SIZE(?: 0)?$/m);
    const from = { from: 'a@b.example', to: 'alice@localhost', announceSize: 5 * 1024 ** 3 };
    assert.notEqual((await sendMail(root.smtpPort, from)).mail.code, 552);
  });
});
