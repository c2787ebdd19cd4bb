import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Test } from 'supertest';
import { pluginPages } from '../support/plugin-pages.js';
import { formFields, textOf } from '../support/forms.js';
import { refusedAt } from '../support/recording-helper.js';

const FORM = '/mail/configuration/base';

describe('the history', () => {
  const pages = pluginPages({ tables: ['changes', 'settings'] });

  const get = (path: string): Test => pages.get(path);
  const name = async (): Promise<string | undefined> =>
    formFields((await get(FORM).expect(200)).text)['mailServerName'];
  const save = async (mailServerName: string): Promise<string> => {
    const fields = formFields((await get(FORM).expect(200)).text);
    const answer = await pages
      .post(FORM, { ...fields, mailServerName, intent: 'save' })
      .expect(303);
    return /saved=(\d+)/.exec(answer.headers['location'] ?? '')?.[1] ?? '';
  };
  const undo = async (id: string, scope: string): Promise<void> => {
    const page = await get(`/mail/history/${id}/undo?scope=${scope}`).expect(200);
    await pages.post(`/mail/history/${id}/undo`, formFields(page.text)).expect(303);
  };

  /** What the list says of each change, newest first. */
  const states = async (): Promise<readonly string[]> => {
    const chips = (await get('/mail/history').expect(200)).text.matchAll(
      /<span class="chip .*?<\/span>/g,
    );
    return [...chips].map(([chip]) => textOf(chip));
  };
  const newest = async (): Promise<string> => {
    const [found] = await pages.database.db('mail_changes').max('number');
    return String(found?.['max']);
  };

  it('says that nothing was changed, and where changes will stand', async () => {
    assert.match(textOf((await get('/mail/history').expect(200)).text), /Nothing was changed yet/);
  });

  it('lists who changed what, newest first, with a way to each', async () => {
    await save('one.example.com');
    const id = await save('two.example.com');
    const page = (await get('/mail/history').expect(200)).text;
    const [first, second] = ['two.example.com', 'one.example.com'].map((text) =>
      page.indexOf(text),
    );
    assert.ok(first !== undefined && first > 0);
    assert.ok(second === -1 || (second ?? 0) > first);
    const one = textOf((await get(`/mail/history/${id}`).expect(200)).text);
    assert.match(one, /one\.example\.com two\.example\.com/);
  });

  it('takes one change back', async () => {
    await save('one.example.com');
    const id = await save('two.example.com');
    await undo(id, 'one');
    assert.equal(await name(), 'one.example.com');
  });

  it('says what an undo took back, and when that is in force again, in the list and on the overview', async () => {
    await save('one.example.com');
    const id = await save('two.example.com');
    await undo(id, 'one');
    for (const path of ['/mail/history', '/mail']) {
      assert.match(
        textOf((await get(path).expect(200)).text),
        /Taken back: [^.]*two\.example\.com/,
      );
    }
    await undo(await newest(), 'one');
    assert.match(
      textOf((await get('/mail/history').expect(200)).text),
      /In force again: [^.]*two\.example\.com/,
    );
  });

  it('says of a change that was taken back which one did that, and no longer offers to take it back', async () => {
    const first = await save('one.example.com');
    const second = await save('two.example.com');
    // The oldest one says what the machine had.
    assert.deepEqual(await states(), ['took effect', 'took effect', 'took effect']);
    await undo(second, 'one');
    const undone = await newest();
    assert.deepEqual(await states(), [
      'took effect',
      `taken back by change ${undone}`,
      'took effect',
      'took effect',
    ]);
    const page = (await get(`/mail/history/${second}`).expect(200)).text;
    assert.match(textOf(page), /Change \d+ took this one back, so it does not count any more/);
    assert.ok(page.includes(`<a href="/mail/history/${undone}">`));
    assert.doesNotMatch(page, new RegExp(`href="/mail/history/${second}/undo"`));
    assert.match(page, new RegExp(`href="/mail/history/${second}/undo\\?scope=since"`));

    await undo(undone, 'one');
    const [, , again] = await states();
    assert.equal(again, 'took effect');
    await undo(first, 'since');
    const back = await newest();
    assert.deepEqual(await states(), [
      'took effect',
      ...Array.from({ length: 4 }, () => `taken back by change ${back}`),
      'took effect',
    ]);
    assert.equal(await name(), 'old.example.com');
  });

  it('says what is lost with a domain before its addition is taken back', async () => {
    const domains = '/mail/configuration/domains';
    const fields = formFields((await get(domains).expect(200)).text);
    const added = await pages
      .post(domains, { ...fields, name: 'müller.example', intent: 'save' })
      .expect(303);
    const id = /saved=(\d+)/.exec(added.headers['location'] ?? '')?.[1] ?? '';
    await pages.database.db('mail_aliases').insert({
      ...{ name: 'info@xn--mller-kva.example', targets: ['anna'], enabled: true },
      ...{ note: '', updated_by: 'ann' },
    });
    const page = textOf((await get(`/mail/history/${id}/undo`).expect(200)).text);
    assert.match(page, /The local domain müller\.example is removed by that Mail to it is refused/);
    assert.match(page, /One alias/);
  });

  it('refuses to take back what was changed again since, and says how to go on', async () => {
    await save('one.example.com');
    const id = await save('two.example.com');
    const page = formFields((await get(`/mail/history/${id}/undo`).expect(200)).text);
    await save('three.example.com');
    const answer = await pages.post(`/mail/history/${id}/undo`, page).expect(409);
    assert.match(textOf(answer.text), /Take that change back first/);
    assert.equal(await name(), 'three.example.com');
  });

  it('shows the first rows of a change with very many, how many more there are, and no preview of its undo', async () => {
    const { db } = pages.database;
    const made: { rows: { number: string }[] } = await db.raw(
      `insert into mail_changes (actor, state, sections, title_key, title_values, row_count)
       values ('ann', 'applied', '{aliases}', 'aliases.change.imported', '{"added": 1200, "changed": 0}', 1200)
       returning number`,
    );
    const id = made.rows[0]?.number ?? '';
    await db.raw(
      `insert into mail_change_rows (change, position, table_name, row_id, after)
       select ?, n - 1, 'mail_aliases', n::text,
              jsonb_build_object('id', n, 'name', 'many' || n, 'targets', array['alice'], 'enabled', true, 'version', n)
         from generate_series(1, 1200) as n`,
      [id],
    );
    const page = textOf((await get(`/mail/history/${id}`).expect(200)).text);
    assert.match(page, /many100 /);
    assert.doesNotMatch(page, /many101 /);
    assert.match(page, /1,100 more entries were changed/);
    const asked = textOf((await get(`/mail/history/${id}/undo`).expect(200)).text);
    assert.match(asked, /This is a large change, so there is no preview/);
    assert.equal(pages.helper.applied.length, 0);
  });

  it('takes back a change with more rows than are held at once, and says so in the list', async () => {
    const { db } = pages.database;
    await db.raw(
      `insert into mail_aliases (name, targets, updated_by)
       select 'many' || n, '{alice}', 'ann' from generate_series(0, 10001) as n`,
    );
    const made: { rows: { number: string }[] } = await db.raw(
      `insert into mail_changes (actor, state, sections, title_key, title_values, row_count)
       values ('ann', 'applied', '{aliases}', 'aliases.change.imported', '{"added": 10001, "changed": 0}', 10001)
       returning number`,
    );
    const id = made.rows[0]?.number ?? '';
    await db.raw(
      `insert into mail_change_rows (change, position, table_name, row_id, after)
       select ?, row_number() over (order by id) - 1, 'mail_aliases', id::text, to_jsonb(row)
         from mail_aliases as row where name <> 'many0'`,
      [id],
    );
    await undo(id, 'one');
    const left = await db('mail_aliases').select<{ name: string }[]>('name');
    assert.deepEqual(left, [{ name: 'many0' }]);
    assert.equal(pages.helper.applied.length, 1);
    assert.match(
      textOf((await get('/mail/history').expect(200)).text),
      /Taken back: [^.]*10,001 aliases imported/,
    );
    await db('mail_aliases').delete();
  });

  it('goes back to before a change, over everything since', async () => {
    await save('one.example.com');
    const id = await save('two.example.com');
    await save('three.example.com');
    await save('four.example.com');
    await undo(id, 'since');
    assert.equal(await name(), 'one.example.com');
  });

  it('asks again before it takes back more than the person has seen', async () => {
    await save('one.example.com');
    const id = await save('two.example.com');
    const page = formFields((await get(`/mail/history/${id}/undo?scope=since`).expect(200)).text);
    await save('three.example.com');
    const answer = await pages.post(`/mail/history/${id}/undo`, page).expect(409);
    assert.match(answer.text, /three\.example\.com/);
    assert.equal(await name(), 'three.example.com');
  });

  it('shows what was refused with its reason, and offers no way back from it', async () => {
    await save('one.example.com');
    const fields = formFields((await get(FORM).expect(200)).text);
    pages.helper.refusal = refusedAt('check', 'helper.check.postfix');
    await pages
      .post(FORM, { ...fields, mailServerName: 'two.example.com', intent: 'save' })
      .expect(502);
    const page = await get('/mail/history?state=refused').expect(200);
    assert.match(textOf(page.text), /refused/);
    const id = /history\/(\d+)"/.exec(page.text)?.[1] ?? '';
    await get(`/mail/history/${id}/undo`).expect(422);
  });

  it('knows no change that never was', async () => {
    for (const id of ['999999', '0', '-1', 'x', '1e3', '9'.repeat(40)]) {
      await get(`/mail/history/${id}`).expect(404);
    }
  });

  it('escapes what a filter holds', async () => {
    const page = await get('/mail/history?person=%22%3E%3Cscript%3E').expect(200);
    assert.ok(!page.text.includes('"><script>'));
  });
});
