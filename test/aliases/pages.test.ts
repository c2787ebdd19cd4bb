/** The pages of the aliases on the dummy host. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formFields, textOf } from '../support/forms.js';
import { pluginPages } from '../support/plugin-pages.js';

const PATH = '/mail/aliases';

const ENTRIES = [{ name: 'webmaster', value: 'root' }];

describe('the pages of the aliases', () => {
  const pages = pluginPages({
    tables: ['changes', 'aliases'],
    prepare: (helper) => {
      helper.answers['system-aliases'] = () => ({ entries: [], count: 0 });
    },
  });

  it('keep what was typed for one that somebody removed meanwhile, to add it anew', async () => {
    const { db } = pages.database;
    const alias = { name: 'office', targets: ['boss@far.example'], updated_by: 'ann' };
    const [row] = await db('mail_aliases').insert(alias).returning<{ id: string }[]>('id');
    const path = `${PATH}/${row?.id}`;
    const fields = await pages.fields(path);
    await db('mail_aliases').delete();
    const typed = { ...fields, targets: 'else@far.example', note: 'mine', enabled: '1' };
    const answer = await pages.post(path, typed);
    assert.equal(answer.status, 409);
    assert.match(textOf(answer.text), /Somebody removed it while you were editing it/);
    const shown = formFields(answer.text);
    assert.deepEqual([shown['name'], shown['note']], ['office', 'mine']);
    assert.match(answer.text, /action="\/mail\/aliases\/new"/);
    await pages.post(`${PATH}/new`, { ...shown, targets: 'else@far.example' }).expect(303);
  });

  it('say when the system’s own aliases were edited and newaliases was not run', async () => {
    const edited = /Somebody changed \/etc\/aliases\. Until newaliases is run/;
    assert.doesNotMatch(textOf((await pages.get(PATH)).text), edited);
    pages.helper.answers['system-aliases'] = () => ({ entries: ENTRIES, count: 1, unread: true });
    await pages.restart();
    assert.match(textOf((await pages.get(PATH)).text), edited);
  });
});
