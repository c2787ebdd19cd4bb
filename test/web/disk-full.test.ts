/** What pages say when the database finds no room on its disk. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { formFields, textOf } from '../support/forms.js';
import { pluginPages } from '../support/plugin-pages.js';
import { until } from '../support/wait.js';

/** These tables take no row, as on a full disk. */
const TABLES = ['mail_aliases', 'mail_guide'];

describe('on a disk without room for the database', () => {
  const pages = pluginPages({
    tables: ['changes', 'aliases', 'guide'],
    prepare: (helper) => {
      helper.answers['system-aliases'] = () => ({ entries: [], count: 0 });
    },
  });
  before(async () => {
    const { db } = pages.database;
    await db.raw(`create function no_room() returns trigger language plpgsql as $$ begin
      raise exception 'could not extend file: No space left on device' using errcode = 'disk_full';
    end $$`);
    for (const table of TABLES) {
      await db.raw(`create trigger no_room before insert on ${table} execute function no_room()`);
    }
  });

  it('a save says so, and the form keeps what was typed', async () => {
    const typed = { name: 'sales', targets: 'boss@far.example', intent: 'save' };
    const answer = await pages.submit('/mail/aliases/new', typed);
    assert.equal(answer.status, 502);
    const words = textOf(answer.text);
    assert.match(words, /Nothing was saved: there is too little room on the disk\. The database/);
    assert.match(words, /Everything you typed is still in the form\./);
    assert.equal(formFields(answer.text)['name'], 'sales');
    const changes: unknown[] = await pages.database.db('mail_changes');
    assert.deepEqual(changes, []);
  });

  it('an import says so', async () => {
    const path = '/mail/aliases/transfer';
    const { _csrf } = await pages.fields('/mail/aliases/new');
    const begun = await pages.post(path, { _csrf, text: 'sales,boss@far.example' }).expect(303);
    const preview = String(begun.headers['location']);
    await until('the file to be read', async () =>
      (await pages.get(preview)).text.includes(`action="${preview}"`),
    );
    await pages.post(preview, { _csrf }).expect(303);
    const words = await until('the import to end', async () => {
      const shown = textOf((await pages.get(preview)).text);
      return !shown.includes('being saved') && shown;
    });
    assert.match(words, /The database of the settings cannot write\. Make some room/);
    assert.doesNotMatch(words, /broke off/);
  });

  it('any other page says so', async () => {
    const { _csrf } = await pages.fields('/mail/aliases/new');
    const answer = await pages.post('/mail/guide', { _csrf, intent: 'hide' }).expect(503);
    assert.match(textOf(answer.text), /There is too little room on the disk/);
  });
});
