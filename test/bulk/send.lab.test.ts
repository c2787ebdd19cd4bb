import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import PostalMime from 'postal-mime';
import { killWhileSending } from '../support/bulk-rounds.js';
import { BULK, countMailboxes, startBulkLab, type BulkLab } from '../support/bulk-lab.js';

/** Accounts beside the lab's own six. */
const PEOPLE = 200;

describe('a mailing in a lab', () => {
  let at: BulkLab;
  before(async () => {
    at = await startBulkLab(PEOPLE);
  });
  after(() => at.stop());

  it('is shown before it is sent, goes to everybody once, and its page says what became of it', async () => {
    const draft = await at.write({
      ...{ subject: 'First news', exclude: ['everyone'], excludeNames: 'bob' },
    });
    const shown = await at.client.get(draft);
    assert.match(shown.text, /5 people get this message\. Nothing has been sent yet/);
    assert.match(shown.text, /201 are left out as you wished .*\bbob Bob Baker\b/);
    assert.equal((await countMailboxes(at.lab, 'First news')).size, 0);

    await at.send(draft);
    const page = await at.waitFor(draft, /5 were delivered/);
    assert.match(page.text, /The mailing is sent: 5 of 5/);
    const boxes = await countMailboxes(at.lab, 'First news');
    assert.deepEqual([...boxes.keys()].sort(), ['alice', 'carol', 'dave', 'erika', 'juergen']);
    for (const [login, ids] of boxes) assert.equal(ids.length, 1, login);

    const [raw = ''] = await at.lab.mailbox('erika');
    const mail = await PostalMime.parse(raw);
    assert.deepEqual(mail.to, [{ name: 'Erika Müller', address: 'erika@example.com' }]);
    assert.match(mail.text ?? '', /^Hello Erika Müller/);
    const ids = await Promise.all(
      ['alice', 'carol'].map(async (login) => {
        const [text = ''] = await at.lab.mailbox(login);
        return (await PostalMime.parse(text)).messageId;
      }),
    );
    assert.notEqual(ids[0], ids[1], 'each message has an id of its own');
  });

  it('is sent once however often the button is pressed', async () => {
    const draft = await at.write({ subject: 'Pressed twice', includeNames: 'carol' });
    const page = await at.client.get(draft);
    const options = { action: `${draft}/send` };
    await Promise.all([1, 2, 3].map(() => at.client.clone().send(page, {}, options)));
    await at.waitFor(draft, /One was delivered/);
    assert.equal((await countMailboxes(at.lab, 'Pressed twice')).get('carol')?.length, 1);
    assert.equal((await at.client.get(BULK)).text.match(/Pressed twice/g)?.length, 1);
  });

  it('reaches everybody exactly once, whoever is killed meanwhile', async (t) => {
    const found = await killWhileSending(at, { kills: 5, rate: 1_200, subject: 'Through kills' });
    assert.equal(found.people, PEOPLE);
    t.diagnostic(`${found.during} of 5 kills while it was sent, ${found.doubtful} in doubt`);
  });
});
