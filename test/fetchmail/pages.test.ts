/** The pages of the queries, on the dummy host with a recording helper. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Test } from 'supertest';
import type { DirectoryUser } from '../../lib/contract.js';
import type { FetchmailSettings, FetchQuery } from '../../lib/fetchmail/schema.js';
import { openPassword } from '../../lib/fetchmail/security.js';
import { open } from '../../lib/secrets/seal.js';
import { pluginPages } from '../support/plugin-pages.js';
import { formFields, textOf } from '../support/forms.js';

const PATH = '/mail/fetchmail';
const ALICE: DirectoryUser = {
  ...{ id: '1000', login: 'alice', name: 'Alice', addresses: [], hasMailbox: true },
  ...{ system: false, locked: false, groups: [] },
};
const CANARY = ' with "canary" \\x41 ä ';

describe('the pages of the fetchmail queries', () => {
  const pages = pluginPages({
    tables: ['changes', 'fetch_queries', 'aliases'],
    host: { users: [ALICE] },
    prepare: (helper) => {
      helper.answers['fetchmail-status'] = () => ({ installed: true, running: true, queries: {} });
      helper.answers['system-aliases'] = () => ({ entries: [], count: 0 });
    },
  });

  const get = (path = PATH): Test => pages.get(path);
  const post = (path: string, fields: Record<string, string | string[]>): Test =>
    pages.post(path, fields);
  const applied = (): readonly FetchQuery[] =>
    (pages.helper.applied.at(-1)?.sections['fetchmail'] as FetchmailSettings).queries;
  const typed = (more: Record<string, string | string[]> = {}) => ({
    ...{ name: 'imap.provider.example', sameServer: '1', enabled: '1', protocol: 'imap' },
    ...{ remoteUser: 'me', remotePassword: CANARY, destination: 'user', users: [ALICE.login] },
    ...more,
  });
  const to = (destination: string) => {
    return { destination, users: [], alias: 'office', address: 'anna@old.example' };
  };
  const add = async (more: Record<string, string | string[]> = {}): Promise<string> => {
    const csrf = formFields((await get(`${PATH}/new`).expect(200)).text)['_csrf'] ?? '';
    const answer = await post(`${PATH}/new`, { _csrf: csrf, ...typed(more) });
    assert.equal(answer.status, 303, textOf(answer.text));
    return applied().at(-1)?.id ?? '';
  };
  const change = async (id: string, more: Record<string, string>): Promise<number> => {
    const fields = formFields((await get(`${PATH}/${id}`)).text);
    const answer = await post(`${PATH}/${id}`, {
      ...{ _csrf: fields['_csrf'] ?? '', version: fields['version'] ?? '' },
      ...typed({ remotePassword: '' }),
      ...more,
    });
    return answer.status;
  };

  it('seal the password for server, port, user and safety, and show it nowhere', async () => {
    const id = await add();
    const [query] = applied();
    assert.ok(query);
    assert.equal(
      openPassword(query, (box, binding) => open(pages.helper.key, box, binding)),
      CANARY,
    );
    for (const path of [PATH, `${PATH}/${id}`, '/mail/history', '/mail/history/1']) {
      const { text } = await get(path);
      assert.equal(/canary|mb1\./.test(text), false, path);
    }
    const rows = JSON.stringify(await pages.database.db('mail_change_rows').select());
    assert.equal(rows.includes('mb1.'), false);
    assert.equal(JSON.stringify(pages.host.log.entries).includes('canary'), false);
  });

  it('keep the password while nothing it is bound to changes, and ask for it otherwise', async () => {
    const id = await add();
    const box = applied()[0]?.remotePassword;
    assert.equal(await change(id, { interval: '600', keep: '1' }), 303);
    assert.equal(applied()[0]?.remotePassword, box);
    const elsewhere: Record<string, string>[] = [
      { name: 'evil.example' },
      { port: '1993' },
      { remoteUser: 'you' },
      { ssl: 'none' },
      { certificate: 'none' },
    ];
    const before = pages.helper.applied.length;
    for (const more of elsewhere) {
      for (const intent of ['save', 'preview', 'test']) {
        assert.equal(await change(id, { ...more, intent }), 422, JSON.stringify(more));
      }
    }
    assert.equal(pages.helper.applied.length, before);
  });

  it('really remove a query and its password', async () => {
    const id = await add();
    const { _csrf = '' } = formFields((await get(`${PATH}/${id}`)).text);
    await post(`${PATH}/${id}/delete`, { _csrf }).expect(303);
    assert.deepEqual(applied(), []);
    const rows = JSON.stringify(await pages.database.db('mail_fetch_queries').select());
    assert.equal(rows, '[]');
  });

  it('remove one query when Delete is pressed twice', async () => {
    const first = await add();
    await add({ remoteUser: 'second' });
    const page = await get(PATH);
    const { _csrf = '' } = formFields((await get(`${PATH}/new`)).text);
    const key = new RegExp(`value="(${first}\\.\\d+)"`).exec(page.text)?.[1] ?? '';
    const press = () => post(`${PATH}/act`, { _csrf, row: key, do: 'remove' });
    const answers = [(await press()).status, (await press()).status];
    assert.deepEqual(answers, [303, 409]);
    assert.equal(applied().length, 1);
  });

  it('answer a stale form with 409, and keep what was typed', async () => {
    const id = await add();
    const { _csrf = '', version = '' } = formFields((await get(`${PATH}/${id}`)).text);
    assert.equal(await change(id, { interval: '600' }), 303);
    const answer = await post(`${PATH}/${id}`, {
      ...{ _csrf, version },
      ...typed({ remotePassword: '', interval: '900' }),
    });
    assert.equal(answer.status, 409);
    assert.equal(formFields(answer.text)['interval'], '900');
    assert.match(textOf(answer.text), /600/);
  });

  it('keep what was typed for a query that somebody deleted meanwhile, to add it anew', async () => {
    const id = await add();
    const { _csrf = '', version = '' } = formFields((await get(`${PATH}/${id}`)).text);
    await post(`${PATH}/act`, { _csrf, do: `remove:${id}.${version}` }).expect(303);
    const stale = typed({ interval: '900' });
    const answer = await post(`${PATH}/${id}`, { _csrf, version, ...stale });
    assert.equal(answer.status, 409);
    assert.match(textOf(answer.text), /Somebody removed it while you were editing it/);
    const { remotePassword, ...kept } = formFields(answer.text);
    assert.equal(remotePassword, '');
    const again = { _csrf, ...typed({ remotePassword: '', interval: kept['interval'] ?? '' }) };
    const passwordRef = kept['passwordRef'] ?? '';
    assert.equal((await post(`${PATH}/new`, { ...again, passwordRef })).status, 303);
    assert.equal(applied()[0]?.interval, 900);
  });

  it('switch queries off and on', async () => {
    const id = await add();
    const { _csrf = '' } = formFields((await get(`${PATH}/${id}`)).text);
    await post(`${PATH}/${id}/disable`, { _csrf }).expect(303);
    assert.equal(applied()[0]?.enabled, false);
    await post(`${PATH}/${id}/enable`, { _csrf }).expect(303);
    assert.equal(applied()[0]?.enabled, true);
  });

  const wrong: readonly (readonly [Record<string, string | string[]>, string])[] = [
    [{ name: '' }, 'name'],
    [{ name: 'no server' }, 'name'],
    [{ port: 'x' }, 'port'],
    [{ users: [] }, 'users'],
    [{ users: ['nobody-like-that'] }, 'users'],
    [{ destination: 'alias', alias: 'no-alias-like-that' }, 'alias'],
    [{ destination: 'address', address: 'x' }, 'address'],
    [{ destination: 'multidrop', localDomains: '' }, 'localDomains'],
    [{ keep: '1', fetchAll: '1' }, 'fetchAll'],
    [{ protocol: 'pop3', folders: 'Archive' }, 'folders'],
    [{ interval: '0' }, 'interval'],
    [{ remotePassword: '' }, 'remotePassword'],
    [{ remotePassword: 'a\nb' }, 'remotePassword'],
    [{ remoteUser: 'a\nb' }, 'remoteUser'],
  ];
  for (const [more, field] of wrong) {
    it(`refuse ${JSON.stringify(more)} at its field, and save nothing`, async () => {
      const { _csrf = '' } = formFields((await get(`${PATH}/new`)).text);
      const answer = await post(`${PATH}/new`, { _csrf, ...typed(more) });
      assert.equal(answer.status, 422);
      assert.ok(answer.text.includes(`href="#${field}"`), textOf(answer.text));
      const { name, remoteUser } = typed(more);
      const again = formFields(answer.text);
      if (!remoteUser.includes('\n')) assert.equal(again['remoteUser'], remoteUser);
      assert.equal(again['name'], name);
      assert.equal(pages.helper.applied.length, 0);
      assert.deepEqual(await pages.database.db('mail_fetch_queries').select(), []);
    });
  }

  it('fold away nothing that is chosen, set or wrong', async () => {
    const folds = (html: string): string =>
      (html.match(/<details class="field">.*?<\/details>/gs) ?? []).join('');
    const blank = folds((await get(`${PATH}/new`)).text);
    assert.match(blank, /name="timeout"/);
    assert.doesNotMatch(blank, /name="(?:localDomains|envelope|smtpDomain)"/);
    const { _csrf = '' } = formFields((await get(`${PATH}/new`)).text);
    const wrong = await post(`${PATH}/new`, { _csrf, ...typed({ timeout: '1' }) });
    assert.equal(wrong.status, 422);
    assert.equal(folds(wrong.text), '');
    const id = await add({ sizeLimit: '5' });
    assert.equal(folds((await get(`${PATH}/${id}`)).text), '');
  });

  it('show which header names the recipient and who would get what, and whatever stands there stays text', async () => {
    const evil = '<script>alert(1)</script>';
    pages.helper.answers['fetchmail-test'] = () => ({
      result: { outcome: 'nothing', code: 0, waiting: 2, seen: 0, fetched: 0, left: 2, detail: '' },
      looked: {
        headers: [{ name: 'Delivered-To', messages: 2, example: evil, prefix: 'box-' }],
        messages: [
          {
            ...{ from: evil, subject: '=?utf-8?q?Gr=C3=BC=C3=9Fe?=', date: '' },
            recipients: [{ address: 'bob@example.org', fate: 'taken' }],
          },
          {
            ...{ from: 'x@y.example', subject: evil, date: '' },
            recipients: [{ address: evil, fate: 'others' }],
          },
        ],
      },
    });
    const { _csrf = '' } = formFields((await get(`${PATH}/new`)).text);
    const form = { destination: 'multidrop', localDomains: 'example.org', intent: 'look' };
    const answer = await post(`${PATH}/new`, { _csrf, ...typed(form) });
    assert.equal(answer.status, 303, textOf(answer.text));
    const page = await get(answer.headers['location'] ?? '').expect(200);
    const text = textOf(page.text);
    assert.match(text, /Enter Delivered-To as the header .* box- as the prefix/);
    assert.match(text, /Grüße/);
    assert.match(text, /\(nobody here, so: alice\)/);
    assert.equal(page.text.includes(evil), false);
    assert.equal(formFields(page.text)['localDomains'], 'example.org');
    assert.equal(pages.helper.applied.length, 0);
  });

  it('tell on the overview of a query that has failed for a day, and not of a shorter failure', async () => {
    const id = await add();
    const failingFor = async (hours: number): Promise<void> => {
      const at = new Date(Date.now() - hours * 3_600_000).toISOString();
      const counts = { waiting: null, seen: null, fetched: 0, left: 0 };
      const status = {
        ...{ startedAt: at, finishedAt: at, failingSince: at, failures: 9, lastGoodAt: null },
        ...{ lastMailAt: null, fetchedInAll: 0, maybeTwice: [], nextAt: null, dialogue: [] },
        result: { outcome: 'basicLogin', code: 3, ...counts, detail: 'NO use an app password' },
      };
      const answer = { installed: true, running: true, queries: { [id]: status } };
      pages.helper.answers['fetchmail-status'] = () => answer;
      // Each host looks for itself.
      await pages.restart();
    };
    await failingFor(30);
    assert.match(textOf((await get('/mail/')).text), /imap\.provider\.example/);
    assert.match(textOf((await get()).text), /takes no plain account passwords any more/);
    await failingFor(2);
    assert.doesNotMatch(textOf((await get('/mail/')).text), /imap\.provider\.example.*fail/);
  });

  it('refuse to look who would get what where nothing is shared out', async () => {
    const { _csrf = '' } = formFields((await get(`${PATH}/new`)).text);
    const answer = await post(`${PATH}/new`, { _csrf, ...typed({ intent: 'look' }) });
    assert.equal(answer.status, 422);
    assert.match(answer.text, /href="#destination"/);
  });

  it('look at queries with mail.read, and change nothing with less than mail.admin', async () => {
    const id = await add();
    const { _csrf = '' } = formFields((await get(`${PATH}/${id}`)).text);
    const reader = { 'x-roles': 'mail.read' };
    await get(PATH).set(reader).expect(200);
    await get(`${PATH}/${id}`).set(reader).expect(200);
    for (const action of ['', '/enable', '/disable', '/delete', '/fetch', '/test', '/look']) {
      await post(`${PATH}/${id}${action}`, { _csrf, ...typed() })
        .set(reader)
        .expect(403);
    }
    await get(`${PATH}/new`).set(reader).expect(403);
  });

  it('are told of where a domain or an alias goes that they bring their mail to', async () => {
    const settings = { names: ['old.example'] };
    pages.helper.machine['domains'] = { settings, unclear: [] };
    await add({ name: 'To an address', sameServer: '', server: 'a.example', ...to('address') });
    const domain = await get('/mail/configuration/domains/remove?row=name:old.example').expect(200);
    assert.match(textOf(domain.text), /To an address brings its mail to anna@old\.example/);
    const { db } = pages.database;
    const alias = { name: 'office', targets: ['alice'], updated_by: 'ann' };
    await db('mail_aliases').insert(alias);
    const [row] = await db('mail_aliases').select<{ id: string; version: number }[]>();
    await add({ name: 'To an alias', sameServer: '', server: 'b.example', ...to('alias') });
    const { _csrf = '' } = formFields((await get(`${PATH}/new`)).text);
    const asked = await post('/mail/aliases/act', { _csrf, do: `ask:${row?.id}.${row?.version}` });
    assert.match(textOf(asked.text), /fetched from other providers goes there: To an alias\./);
  });

  it('say that an id is nobody’s', async () => {
    for (const id of ['0', '999999', '1e3', '..%2f1']) await get(`${PATH}/${id}`).expect(404);
  });
});
