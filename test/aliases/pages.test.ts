/** The pages of the aliases on the dummy host. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HelperError } from '../../lib/errors.js';
import { formFields, textOf } from '../support/forms.js';
import { pluginPages } from '../support/plugin-pages.js';
import { until } from '../support/wait.js';

const PATH = '/mail/aliases';

const ENTRIES = [{ name: 'webmaster', value: 'root' }];

describe('the pages of the aliases', () => {
  const pages = pluginPages({
    tables: ['changes', 'aliases'],
    prepare: (helper) => {
      helper.answers['system-aliases'] = () => ({ entries: [], count: 0 });
    },
  });

  /** Sends lines to be imported and gives the preview. */
  const imported = async (text: string) => {
    const { _csrf } = await pages.fields(`${PATH}/new`);
    const answer = await pages.post(`${PATH}/transfer`, { _csrf, text }).expect(303);
    const path = answer.headers['location'] ?? '';
    const shown = await until('the end of reading', async () => {
      const { text: html } = await pages.get(path);
      return html.includes('id="import"') ? null : html;
    });
    return { path, shown };
  };

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

  it('show what somebody else saved meanwhile, its note and its state too', async () => {
    const { db } = pages.database;
    const alias = { name: 'office', targets: ['boss@far.example'], updated_by: 'ann' };
    const [row] = await db('mail_aliases').insert(alias).returning<{ id: string }[]>('id');
    await db('mail_aliases').insert({ ...alias, name: 'sales' });
    const path = `${PATH}/${row?.id}`;
    const fields = await pages.fields(path);
    const targets = 'boss@far.example';
    const theirs = { targets, note: 'from the other' };
    await pages.post(path, { ...fields, ...theirs }).expect(303);
    const later = await pages.fields(path);
    await pages.post(path, { ...later, ...theirs, enabled: '' }).expect(303);
    const answer = await pages.post(path, { ...fields, targets, note: 'mine' }).expect(409);
    assert.match(
      textOf(answer.text),
      /office → boss@far\.example With the note: from the other There it is switched off\./,
    );
  });

  it('say of a choice by state that all are still being looked at, until they are', async () => {
    const { db } = pages.database;
    await db('mail_aliases').insert({
      name: 'office',
      targets: ['a@b.example'],
      updated_by: 'ann',
    });
    const said = async (query: string): Promise<boolean> => {
      const { text } = await pages.get(`${PATH}${query}`).expect(200);
      return textOf(text).includes('All aliases are still being checked.');
    };
    await db('mail_alias_work').update({ sweep: 'm' });
    assert.deepEqual([await said('?state=fine'), await said('')], [true, false]);
    await db('mail_alias_work').update({ sweep: null });
    assert.equal(await said('?state=fine'), false);
  });

  it('take an alias that is switched off before there is any other', async () => {
    const { _csrf, version } = await pages.fields(`${PATH}/new`);
    const typed = { _csrf, version, name: 'later', targets: 'boss@far.example', intent: 'save' };
    const answer = await pages.post(`${PATH}/new`, typed);
    assert.equal(answer.status, 303, textOf(answer.text));
    const shown = await pages.get(answer.headers['location'] ?? '');
    assert.match(textOf(shown.text), /Saved\. Alias later added/);
  });

  it('show of an alias that an import changes what it was and what it will be, and nothing else', async () => {
    const many = ['one', 'two', 'three', 'four', 'five'].map((name) => `${name}@far.example`);
    await pages.database.db('mail_aliases').insert([
      { name: 'office', targets: ['boss@far.example'], note: 'front desk', updated_by: 'ann' },
      { name: 'all', targets: [...many, 'six@far.example'], updated_by: 'ann' },
    ]);
    const text = [
      'name,targets,note,enabled',
      'office,else@far.example,front desk,no',
      `all,seven@far.example ${many.join(' ')},<b>all</b>,yes`,
      'fresh,boss@far.example,just here,yes',
    ].join('\n');
    const { path, shown } = await imported(text);
    const rows = [...shown.matchAll(/<tr><th scope="row">.*<\/tr>/g)].map(([row]) => textOf(row));
    assert.deepEqual(rows, [
      'office changes Goes to Now: boss@far.example Afterwards: else@far.example State Now: on Afterwards: off',
      'all changes Goes to No longer: six@far.example Added: seven@far.example Note Now: nothing Afterwards: <b>all</b>',
      'fresh new Goes to boss@far.example Note just here',
    ]);
    assert.doesNotMatch(shown, /<b>all/);

    const { db } = pages.database;
    const version = db.raw(`nextval('mail_versions')`);
    await db('mail_aliases').where({ name: 'office' }).update({ version });
    const later = textOf((await pages.get(path)).text);
    assert.equal(later.split('Somebody has changed it since the file was read').length, 2);
  });

  it('say of a wrong line of an import which one it is, also where a row is no row of a table', async () => {
    const { shown } = await imported('name,targets\noffice,boss@far.example\nsales,\n');
    assert.match(textOf(shown), /In the file Reason Line 3 sales has no target\./);
  });

  it('ask before many are removed which others lead to any of them', async () => {
    const { db } = pages.database;
    const names = Array.from({ length: 30 }, (_, n) => `name${n + 10}`);
    const one = { targets: ['boss@far.example'], updated_by: 'ann' };
    await db('mail_aliases').insert(names.map((name) => ({ ...one, name })));
    await db('mail_aliases').insert({ ...one, name: 'leads', targets: ['name39'] });
    const rows = await db('mail_aliases').whereNot({ name: 'leads' }).orderBy('name');
    const { _csrf } = await pages.fields(`${PATH}/new`);
    const row = rows.map(({ id, version }) => `${id}.${version}`);
    const answer = await pages.post(`${PATH}/act`, { _csrf, row, do: 'ask' });
    assert.match(textOf(answer.text), /Other aliases lead there: leads\./);
  });

  it('say when the system’s own aliases were edited and newaliases was not run', async () => {
    const edited = /Somebody changed \/etc\/aliases\. Until the mail server reads the file/;
    assert.doesNotMatch(textOf((await pages.get(PATH)).text), edited);
    pages.helper.answers['system-aliases'] = () => ({ entries: ENTRIES, count: 1, unread: true });
    await pages.restart();
    assert.match(textOf((await pages.get(PATH)).text), edited);
  });

  it('have the system’s own aliases read, or say which line is in the way', async () => {
    const { answers } = pages.helper;
    let unread = true;
    answers['system-aliases'] = () => ({ entries: ENTRIES, count: 1, unread });
    answers['system-aliases-read'] = () => {
      throw new HelperError({
        ...{ stage: 'run', key: 'helper.systemAliases.line', values: { line: 7 } },
        ...{ detail: 'line 7: need name:value pair', restored: true },
      });
    };
    await pages.restart();
    const page = (await pages.get(PATH)).text;
    const action = /<form method="post" action="([^"]*\/system)"/.exec(page)?.[1] ?? assert.fail();
    const { _csrf } = await pages.fields(`${PATH}/new`);
    const refused = await pages.post(action, { _csrf }).expect(502);
    assert.match(textOf(refused.text), /Line 7 of \/etc\/aliases is none that Postfix understands/);
    assert.match(refused.text, /line 7: need name:value pair/);
    assert.ok(refused.text.includes(`action="${action}"`));

    answers['system-aliases-read'] = () => {
      unread = false;
      return { count: 1 };
    };
    const done = await pages.post(action, { _csrf }).expect(303);
    const after = textOf((await pages.get(done.headers['location'] ?? '')).text);
    assert.match(after, /The mail server has read the system’s own aliases\. It knows one name\./);
    assert.doesNotMatch(after, /Somebody changed/);
  });
});
