/** The mail queue as its pages show it and act on it, over a real Postfix. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { MAX_SEARCH_LENGTH, PAGE_ROWS } from '../../lib/queue/query.js';
import type { Page } from '../support/console-client.js';
import { startQueuePages, type QueuePages } from '../support/queue-pages.js';
import { CLOSED_DOMAIN, type QueueMail } from '../support/queue-root.js';
import { htmlProblems } from '../support/valid-html.js';
import { until } from '../support/wait.js';

const LIST = '/mail/queue';
/** More than fit on forty pages, and more than a filter elsewhere could stand. */
const MANY = 2_100;

const TEMPERS = {
  'full@firma.example': { code: 452, text: '4.2.2 Mailbox full' },
  'grey@firma.example': { code: 450, text: '4.2.0 Greylisted for 300 seconds' },
  'rate@partner.example': { code: 451, text: '4.7.1 Too many messages <script>alert(1)</script>' },
  'späť@firma.example': { code: 450, text: '4.2.0 Greylisted' },
  'odd@partner.example': { code: 451, text: '4.3.0 Kaffee ist alle' },
};

describe('the mail queue', () => {
  let pages: QueuePages;
  const ids: Record<string, string> = {};

  /** Hands a mail in and waits until it is put off. */
  const wait = async (name: string, mail: QueueMail): Promise<string> => {
    const id = await pages.root.mail(mail);
    await pages.root.waitFor(id, 'deferred');
    ids[name] = id;
    return id;
  };
  const idOf = (name: string): string => ids[name] ?? assert.fail(`no mail ${name}`);
  const get = (path: string): Promise<Page> => pages.client.get(path);
  const list = async (query: string): Promise<Page> => get(`${LIST}?${query}`);
  const shown = (page: Page): string[] =>
    [...page.html.matchAll(/<tr id="q-([^"]+)"/g)].map((match) => match[1] ?? '');
  const rowOf = (page: Page, id: string): string =>
    new RegExp(`<tr id="q-${id}">[\\s\\S]*?</tr>`).exec(page.html)?.[0] ?? assert.fail(`no ${id}`);
  const press = async (
    page: Page,
    name: string,
    ids: readonly string[],
    more = {},
  ): Promise<Page> =>
    pages.client.send(page, { ids, all: '', ...more }, { button: `action=${name}` });
  const confirm = (question: Page): Promise<Page> =>
    pages.client.send(question, { confirm: 'yes' });
  /** Waits until the job that an answer leads to has ended, and gives its page. */
  const ended = async (answer: Page): Promise<Page> => {
    const job = new URL(answer.url).searchParams.get('job') ?? assert.fail(answer.text);
    return until('the job to end', async () => {
      const page = await get(`${LIST}/jobs/${job}`);
      return page.html.includes('<progress') ? null : page;
    });
  };
  const places = async (...names: string[]): Promise<(string | undefined)[]> => {
    const rows = await pages.root.rows();
    return names.map((name) => rows.find(({ id }) => id === idOf(name))?.queue);
  };

  before(async () => {
    pages = await startQueuePages(TEMPERS);
    await wait('several', {
      to: ['full@firma.example', 'grey@firma.example', 'rate@partner.example'],
      subject: 'Several',
    });
    await wait('notice', { from: '', to: 'grey@firma.example' });
    await wait('utf8', { from: 'jürgen@bücher.example', to: 'späť@firma.example', utf8: true });
    await wait('odd', { to: 'odd@partner.example', from: 'ben@acme.example' });
    await pages.root.set({ enable_long_queue_ids: 'yes' });
    await wait('long', { to: 'full@firma.example', from: 'ben@acme.example' });
    await wait('held', { to: 'grey@firma.example', from: 'cora@acme.example' });
    await pages.root.tool('postsuper', '-h', idOf('held'));
    await wait('expired', { to: 'grey@firma.example', from: 'cora@acme.example' });
    await pages.root.tool('postsuper', '-e', idOf('expired'));
  });
  after(() => pages.stop());

  describe('lists', () => {
    it('all messages, with ids of both forms', async () => {
      const page = await get(LIST);
      assert.deepEqual(shown(page).sort(), Object.values(ids).sort());
      assert.match(idOf('odd'), /^[0-9A-F]+$/);
      assert.match(idOf('long'), /^[0-9A-Za-z]{10,}z[0-9A-Za-z]+$/);
      assert.match(page.text, /7 mails wait, the oldest for/);
      assert.match(page.text, /As of \d/);
      assert.deepEqual(await htmlProblems(page.html), []);
    });

    it('each recipient with its own reason, in the words of the server, never as markup', async () => {
      const row = rowOf(await get(LIST), idOf('several'));
      for (const [address, words] of [
        ['full@firma.example', '4.2.2 Mailbox full'],
        ['grey@firma.example', '4.2.0 Greylisted for 300 seconds'],
        ['rate@partner.example', 'Too many messages &lt;script&gt;alert(1)&lt;/script&gt;'],
      ] as const) {
        assert.ok(row.includes(`<bdi>${address}</bdi>: <code>host 127.0.0.1[127.0.0.1] said: `));
        assert.ok(row.includes(words), words);
      }
      assert.match(row, /and 2 more reasons/);
    });

    it('says what was let go from hold only to be given up, and shows its end', async () => {
      const mail = { to: 'grey@firma.example', from: 'dora@acme.example' };
      const id = await pages.root.mail(mail);
      await pages.root.waitFor(id, 'deferred');
      await pages.root.tool('postsuper', '-h', id);
      await pages.root.waitFor(id, 'hold');
      await pages.root.tool('postsuper', '-f', id);
      await pages.root.waitFor(id, 'deferred');
      // A list may be some seconds old.
      const page = await until('the mail in the list', async () => {
        const seen = await list('sender=dora@acme.example');
        return shown(seen).includes(id) ? seen : null;
      });
      assert.match(rowOf(page, id), /given up at the next try/);
      await press(page, 'deliver', [id]);
      await until('its end', async () => (await pages.root.rows()).every((row) => row.id !== id));
      const gone = await get(`${LIST}/${id}`);
      assert.match(gone.text, /status=force-expired|force-expired/);
    });

    it('says what is held, what is given up, who sent nothing, and addresses as they are', async () => {
      const page = await get(LIST);
      assert.match(rowOf(page, idOf('held')), /on hold[\s\S]*none while on hold/);
      assert.match(rowOf(page, idOf('expired')), /given up at the next try/);
      assert.match(rowOf(page, idOf('notice')), /\(no sender: a notice of a mail server\)/);
      assert.match(rowOf(page, idOf('utf8')), /jürgen@bücher\.example[\s\S]*späť@firma\.example/);
      assert.doesNotMatch(rowOf(page, idOf('held')), /tried until/);
      assert.match(rowOf(page, idOf('odd')), /Another reason[\s\S]*Kaffee ist alle/);
    });

    it('when a message is tried again and given up, from its file and the back-off settings', async () => {
      const page = await get(`${LIST}/${idOf('odd')}`);
      const fact = (name: string): string =>
        new RegExp(`<th scope="row">${name}</th><td><bdi>([^<]*)`).exec(page.html)?.[1] ?? '';
      const [arrived, given] = [fact('Arrived'), fact('Given up')];
      const clock = /\d\d:\d\d/.exec(arrived)?.[0] ?? assert.fail(arrived);
      assert.match(given, new RegExp(`${clock}, or at the first try after that. The sender gets`));
      assert.match(fact('Next try'), /^\d\d:\d\d$/);
      assert.match(fact('Tries'), /^every 5\smins at first, at last every 1\shr, 6\smins$/);
      await pages.root.set({ maximal_queue_lifetime: '0', minimal_backoff_time: '600s' });
      try {
        const changed = await get(`${LIST}/${idOf('odd')}`);
        assert.match(changed.text, /every 10\smins at first/);
        assert.ok(changed.text.includes(`Given up ${arrived}, or at the first try`), changed.text);
      } finally {
        await pages.root.set({ maximal_queue_lifetime: '5d', minimal_backoff_time: '300s' });
      }
    });

    const filters: readonly (readonly [query: string, names: readonly string[]])[] = [
      ['q=odd%40', ['odd']],
      ['sender=ben@acme.example&sort=oldest', ['odd', 'long']],
      ['sender=%3C%3E', ['notice']],
      ['recipient=@partner.example&sort=newest', ['odd', 'several']],
      ['recipient=sp%C3%A4%C5%A5@firma.example', ['utf8']],
      ['queue=hold', ['held']],
      ['reason=mailboxFull&sort=oldest', ['several', 'long']],
      ['reason=unknown', ['odd']],
      ['olderThan=3600', []],
    ];
    for (const [query, names] of filters) {
      it(`what ${query} asks for`, async () => {
        const page = await list(query);
        assert.deepEqual(shown(page), names.map(idOf));
        assert.deepEqual(await htmlProblems(page.html), []);
      });
    }

    it('for people who may only look, without any button that acts', async () => {
      const answer = await pages.client.request('GET', LIST, undefined, { 'x-roles': 'mail.read' });
      const html = await answer.text();
      assert.ok(html.includes(idOf('odd')));
      assert.doesNotMatch(html, /<button[^>]*name="(?:one|action)"|name="ids"/);
      const body = new URLSearchParams({ action: 'delete', ids: idOf('odd'), confirm: 'yes' });
      const roles = { 'x-roles': 'mail.read' };
      const refused = await pages.client.request('POST', LIST, body, roles);
      assert.equal(refused.status, 403);
      assert.deepEqual(await places('odd'), ['deferred']);
    });
  });

  describe('acts', () => {
    it('on nothing that is no queue id, without an action, or without a choice: 422, and says so', async () => {
      const page = await get(LIST);
      for (const [fields, words] of [
        [{ ids: [] }, 'no mail was chosen'],
        [{ ids: ['ALL'] }, 'is no mail'],
        [{ ids: [`${idOf('odd')} ${idOf('long')}`] }, 'is no mail'],
        [{ ids: ['../../etc/passwd'] }, 'is no mail'],
        [{ ids: [`${idOf('odd')}\n${idOf('long')}`] }, 'is no mail'],
      ] as const) {
        const answer = await press(page, 'delete', fields.ids);
        assert.equal(answer.status, 422, words);
        assert.match(answer.text, new RegExp(words));
        assert.match(answer.html, /<title>Error: /);
      }
      const none = new URLSearchParams({ _csrf: 'the-token-of-this-session', ids: idOf('odd') });
      assert.equal((await pages.client.request('POST', LIST, none)).status, 422);
      for (const [name, value] of [
        ['q', 'x'.repeat(MAX_SEARCH_LENGTH + 1)],
        ['reason', 'bad luck'],
        ['queue', 'all'],
        ['olderThan', '-1'],
      ] as const) {
        const all = { _csrf: 'the-token-of-this-session', all: 'filter', action: 'delete' };
        const wide = new URLSearchParams({ ...all, confirm: 'yes', [name]: value });
        const answer = await pages.client.request('POST', LIST, wide);
        assert.equal(answer.status, 422, name);
        assert.match(await answer.text(), /not clear which mails are meant/);
      }
      assert.deepEqual(await places('odd', 'long'), ['deferred', 'deferred']);
    });

    it('not at all without the token', async () => {
      const body = new URLSearchParams({ action: 'hold', ids: idOf('odd') });
      assert.equal((await pages.client.request('POST', LIST, body)).status, 403);
      assert.deepEqual(await places('odd'), ['deferred']);
    });

    it('on one by its row, and on a selection: hold and release, short ids and long', async () => {
      const page = await get(LIST);
      const one = `one=hold ${idOf('long')}`;
      const held = await ended(await pages.client.send(page, { all: '' }, { button: one }));
      assert.match(held.text, /Hold: done[\s\S]*One mail is on hold now/);
      const both = await ended(await press(page, 'hold', [idOf('odd'), idOf('long')]));
      assert.match(both.text, /One mail is on hold now[\s\S]*One mail was so already\./);
      assert.deepEqual(await places('odd', 'long'), ['hold', 'hold']);
      const deliver = await ended(await press(page, 'deliver', [idOf('long')]));
      assert.match(deliver.text, /With one mail it was not possible[\s\S]*Release it first\./);
      await ended(await press(page, 'release', [idOf('odd'), idOf('long')]));
      const [odd, long] = await places('odd', 'long');
      assert.ok(odd !== 'hold' && long !== 'hold', `${String(odd)} ${String(long)}`);
    });

    it('says what had left the queue before, in the result and on its own page', async () => {
      await wait('gone', { to: 'grey@firma.example' });
      const page = await get(LIST);
      await pages.root.tool('postsuper', '-d', idOf('gone'));
      const answer = await ended(await press(page, 'hold', [idOf('gone'), idOf('held')]));
      assert.match(answer.text, /One mail had left the queue before\./);
      for (const path of [`${LIST}/${idOf('gone')}`, `${LIST}/${idOf('gone')}/raw`]) {
        const gone = await get(path);
        assert.equal(gone.status, 404);
        assert.match(gone.text, /no longer in the queue/);
      }
      assert.match((await get(`${LIST}/${idOf('gone')}`)).text, /status=deferred/);
      assert.equal((await get(`${LIST}/no-such-id`)).status, 404);
    });

    it('delivers at once what can be delivered now', async () => {
      await wait('waits', { to: 'odd@partner.example', subject: 'gets through at last' });
      pages.root.sink.change({ refuse: () => null });
      await ended(await press(await get(LIST), 'deliver', [idOf('waits')]));
      const arrived = await pages.root.sink.waitFor('gets through at last');
      assert.deepEqual(arrived.to, ['odd@partner.example']);
      pages.root.sink.change({ refuse: refuseAll });
    });

    it('requeues under a new id', async () => {
      const id = await wait('again', { to: 'odd@partner.example', from: 'again@acme.example' });
      const answer = await ended(await press(await get(LIST), 'requeue', [id]));
      assert.match(answer.text, /One mail goes through the whole server anew/);
      const fresh = await until('the new id', async () =>
        (await pages.root.rows()).find(
          (row) => row.sender === 'again@acme.example' && row.queue === 'deferred' && row.id !== id,
        ),
      );
      assert.ok(fresh.created >= fresh.arrival);
      assert.match((await get(`${LIST}/${fresh.id}`)).text, /Kaffee ist alle/);
    });

    it('deletes only after it was asked back, and what was chosen alone', async () => {
      await wait('first', { to: 'grey@firma.example' });
      await wait('second', { to: 'grey@firma.example' });
      const question = await press(await get(LIST), 'delete', [idOf('first')]);
      assert.match(question.text, /Delete one mail for good\?/);
      assert.ok(question.text.includes(idOf('first')));
      assert.deepEqual(await htmlProblems(question.html), []);
      assert.deepEqual(await places('first', 'second'), ['deferred', 'deferred']);
      const answer = await ended(await confirm(question));
      assert.match(answer.text, /One mail was deleted\./);
      assert.deepEqual(await places('first', 'second'), [undefined, 'deferred']);
    });
  });

  describe('acts on all that match', () => {
    before(() => pages.root.bulk(MANY));

    it('finds thousands, page by page', async () => {
      const page = await until('all to be listed', async () => {
        const seen = await list('sender=bulk@acme.example&sort=oldest');
        return seen.text.includes('2,100 mails match the filter') ? seen : null;
      });
      const last = await list(`sender=bulk@acme.example&sort=oldest&page=${MANY / PAGE_ROWS}`);
      assert.equal(shown(last).length, PAGE_ROWS);
      assert.equal(new Set([...shown(page), ...shown(last)]).size, 2 * PAGE_ROWS);
    });

    it('in the background, with progress that needs no script, and can be stopped', async () => {
      const open = pages.hold('queue-act');
      const page = await list('sender=bulk@acme.example&sort=oldest');
      const answer = await press(page, 'hold', [], { all: 'filter' });
      const job = new URL(answer.url).searchParams.get('job') ?? '';
      const running = await get(`${LIST}/jobs/${job}`);
      assert.match(running.text, /Hold: 0 of 2,100 mails/);
      assert.match(running.text, /All mails from bulk@acme\.example\./);
      assert.match(running.html, /<meta http-equiv="refresh" content="\d/);
      assert.match(running.html, /<progress max="2100" value="0"/);
      const problems = await htmlProblems(running.html);
      assert.deepEqual(
        // It has to come again until the end, and only where there is no script.
        problems.filter((problem) => !problem.includes('meta-refresh')),
        [],
      );
      assert.match((await get(LIST)).text, /Hold: 0 of 2,100 mails/);
      await pages.client.send(running, {}, { action: `${LIST}/jobs/${job}/cancel` });
      const stopped = await ended(answer).finally(open);
      assert.match(stopped.text, /Hold: stopped[\s\S]*2,100 mails were not touched any more\./);
      assert.match((await list('queue=hold&sender=bulk@acme.example')).text, /No mail matches/);
    });

    it('deletes what was counted, and nothing that came later or does not match', async () => {
      const others = shown(await list('sort=oldest')).length;
      const question = await press(
        await list('sender=bulk@acme.example&recipient=@closed.example'),
        'delete',
        [],
        { all: 'filter' },
      );
      assert.match(question.text, /Delete 2,100 mails for good\?/);
      assert.match(question.text, /from bulk@acme\.example/);
      // The clock of the queue counts in seconds.
      await new Promise((resolve) => setTimeout(resolve, 1_100));
      await wait('late', { from: 'bulk@acme.example', to: `bulk@${CLOSED_DOMAIN}` });
      const answer = await ended(await confirm(question));
      assert.match(answer.text, /Delete: done[\s\S]*2,100 mails were deleted\./);
      const left = await pages.root.rows();
      assert.deepEqual(
        left.filter(({ sender }) => sender === 'bulk@acme.example').map(({ id }) => id),
        [idOf('late')],
      );
      assert.ok(others > 0 && left.length > 1);
    });

    it('says when the helper is away, and what was shown before stays', async () => {
      const page = await get(LIST);
      const { database } = pages;
      const { createDummyHost } = await import('../support/dummy-host.js');
      const lonely = createDummyHost({ db: database.db, helper: null });
      const { default: request } = await import('supertest');
      const answer = await request(lonely.app).get(LIST);
      assert.equal(answer.status, 502);
      assert.match(answer.text, /The mail queue could not be read/);
      assert.ok(shown(page).length > 0);
    });
  });
});

function refuseAll(stage: string, value: string): { code: number; text: string } | undefined {
  return stage === 'recipient'
    ? (TEMPERS as Readonly<Record<string, { code: number; text: string }>>)[value]
    : undefined;
}
