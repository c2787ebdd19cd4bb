/** The message trace over a real Postfix: each mail goes its way, and the page tells it in words. */
import assert from 'node:assert/strict';
import { appendFile, writeFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { findFreePort } from '../../lib/free-port.js';
import type { Page } from '../support/console-client.js';
import { startQueuePages, type QueuePages } from '../support/queue-pages.js';
import type { QueueMail } from '../support/queue-root.js';
import { SmtpClient } from '../support/smtp-client.js';
import { htmlProblems } from '../support/valid-html.js';
import { until } from '../support/wait.js';

const PATH = '/mail/trace';
const DOMAIN = 'box.test';
const TEMPERS = {
  'grey@firma.example': { code: 450, text: '4.2.0 Greylisted for 300 seconds' },
  'gone@firma.example': { code: 550, text: '5.1.1 No such user <b>here</b>' },
  'liar@firma.example': { code: 451, text: '4.3.0 Ok: queued as AAAAAAAAAAA' },
};

describe('the message trace', () => {
  let pages: QueuePages;
  const ids: Record<string, string> = {};
  const idOf = (name: string): string => ids[name] ?? assert.fail(`no mail ${name}`);
  const send = async (name: string, mail: QueueMail): Promise<void> => {
    ids[name] = await pages.root.mail(mail);
  };
  const search = (query: Record<string, string>): Promise<Page> =>
    pages.client.get(`${PATH}?${new URLSearchParams(query).toString()}`);
  /** The page once the search is over, and says this. */
  const told = (query: Record<string, string>, words: RegExp): Promise<Page> =>
    until(`the trace of ${JSON.stringify(query)} to say ${String(words)}`, async () => {
      const page = await search({ ...query, fresh: String(Math.floor(Date.now() / 1000)) });
      return words.test(page.text) ? page : null;
    });
  const rows = (page: Page): number => page.html.split('<tr id="t-').length - 1;

  before(async () => {
    pages = await startQueuePages(TEMPERS);
    const { root } = pages;
    const { configDir, aliases } = root.places;
    const port = await findFreePort();
    await writeFile(
      `${configDir}/test-aliases`,
      `sales@${DOMAIN} alice@${DOMAIN}, bob@${DOMAIN}\n`,
    );
    await writeFile(
      `${configDir}/test-headers`,
      '/^Subject: rude/ REJECT not that way\n/^Subject: wait/ HOLD\n',
    );
    await appendFile(aliases, 'away: alice, away@firma.example\n');
    await root.run('/usr/sbin/postalias', ['-c', configDir, `lmdb:${aliases}`]);
    await appendFile(
      `${configDir}/master.cf`,
      `127.0.0.1:${port} inet n - n - - smtpd\n  -o content_filter= -o myhostname=filter.${DOMAIN}\n`,
    );
    await root.set({
      mydestination: `${DOMAIN}, localhost`,
      myorigin: DOMAIN,
      virtual_alias_maps: `texthash:${configDir}/test-aliases`,
      header_checks: `regexp:${configDir}/test-headers`,
      smtpd_authorized_xclient_hosts: '127.0.0.1',
      smtpd_relay_restrictions: 'permit_mynetworks, reject_unauth_destination',
    });
    await send('fan', { to: `sales@${DOMAIN}`, subject: 'fan' });
    await send('away', { to: `away@${DOMAIN}` });
    await send('grey', { to: 'grey@firma.example' });
    await send('liar', { to: 'liar@firma.example' });
    await send('gone', { from: `bob@${DOMAIN}`, to: 'gone@firma.example' });
    await send('held', { to: `alice@${DOMAIN}`, subject: 'wait' });
    await root.waitFor(idOf('grey'), 'deferred');
    await root.set({ content_filter: `smtp:[127.0.0.1]:${port}`, enable_long_queue_ids: 'yes' });
    await send('filtered', {
      to: `bob@${DOMAIN}`,
      raw: `Message-ID: <through-the-filter@acme.example>\r\nSubject: x\r\n\r\nHello\r\n`,
    });
    await assert.rejects(send('rude', { to: `alice@${DOMAIN}`, subject: 'rude' }), /not that way/);
    const [stranger] = await SmtpClient.open(root.smtpPort);
    for (const line of [
      'EHLO localhost',
      'XCLIENT ADDR=203.0.113.9 NAME=mail.stranger.example',
      'EHLO <script>alert(1)</script>',
      'MAIL FROM:<spam@stranger.example>',
      'RCPT TO:<victim@elsewhere.example>',
      `RCPT TO:<nobody-here@${DOMAIN}>`,
      'QUIT',
    ]) {
      await stranger.command(line);
    }
    stranger.close();
  });
  after(() => pages.stop());

  it('asks which mail, and searches nothing by itself', async () => {
    const page = await pages.client.get(PATH);
    assert.equal(page.status, 200);
    assert.doesNotMatch(page.html, /id="trace-results"/);
    assert.deepEqual(await htmlProblems(page.html), []);
  });

  it('follows an alias to each mailbox', async () => {
    const page = await told({ recipient: `sales@${DOMAIN}` }, /mailbox of bob@box\.test/);
    assert.equal(rows(page), 1);
    assert.match(
      page.text,
      /Delivered to the mailbox of alice@box\.test\. It was addressed to sales@box\.test/,
    );
    assert.match(page.text, /This machine handed it in/);
    assert.match(page.html, new RegExp(`href="${PATH}\\?id=${idOf('fan')}"`));
    assert.deepEqual(await htmlProblems(page.html), []);
  });

  it('follows what is forwarded under a new id, whichever id is asked for', async () => {
    const page = await told({ id: idOf('away') }, /Accepted for away@firma\.example by/);
    assert.match(page.text, /Forwarded for away@box\.test; it goes on as ([0-9A-Za-z]+)/);
    const [, next = ''] = /goes on as ([0-9A-Za-z]+)/.exec(page.text) ?? [];
    const same = await told({ id: next }, /Forwarded for away@box\.test/);
    assert.equal(rows(same), 1);
    assert.match(same.text, /mailbox of alice@box\.test/);
  });

  it('says why a mail waits, and leads to it in the queue', async () => {
    const page = await told({ id: idOf('grey') }, /waits for the next try/);
    assert.match(page.text, /Not delivered to grey@firma\.example yet: Asked to come again/);
    assert.match(page.html, new RegExp(`href="/mail/queue/${idOf('grey')}"`));
  });

  it('does not follow an id that another server only claims', async () => {
    const page = await told({ id: idOf('liar') }, /waits for the next try/);
    assert.doesNotMatch(page.text, /goes on as/);
  });

  it('tells what could not be delivered, and leads to the notice and back', async () => {
    const page = await told({ id: idOf('gone') }, /could not be delivered/);
    assert.match(page.text, /Cannot be delivered to gone@firma\.example: /);
    const [, notice = ''] = /a notice that it failed: ([0-9A-Za-z]+)/.exec(page.text) ?? [];
    const other = await told({ id: notice }, /This is the notice about another mail/);
    assert.match(other.text, /no sender: a notice of a mail server/);
    assert.match(other.text, new RegExp(idOf('gone')));
    assert.ok(!page.html.includes('<b>here</b>'));
  });

  it('follows a mail through a content filter, by either id and by its Message-ID', async () => {
    const page = await told({ messageId: '<through-the-filter@acme.example>' }, /it goes on as/);
    assert.equal(rows(page), 1, 'one mail, though two ids');
    assert.match(page.text, /Went through the content filter for bob@box\.test; it goes on as/);
    const [, next = ''] = /goes on as ([0-9A-Za-z]+)/.exec(page.text) ?? [];
    assert.match(next, /z/, 'a long id');
    for (const id of [idOf('filtered'), next]) {
      assert.match((await told({ id }, /delivered/)).text, /Went through the content filter/);
    }
  });

  it('tells what was refused, held, and never came in', async () => {
    const refused = await told({ sender: '@stranger.example' }, /No such recipient here/);
    assert.match(
      refused.text,
      /mail\.stranger\.example \[203\.0\.113\.9\] was turned away with mail for victim@elsewhere\.example: Not for us/,
    );
    assert.doesNotMatch(refused.html, /<script>alert/);
    assert.match((await told({ id: idOf('held') }, /on hold/)).text, /Put on hold by a rule/);
    const rude = await told(
      { sender: 'anna@acme', recipient: `alice@${DOMAIN}` },
      /A rule about headers/,
    );
    assert.match(rude.text, /not that way/);
  });

  it('tells what an administrator did with it', async () => {
    const { root } = pages;
    await root.tool('postsuper', '-H', idOf('held'));
    await root.tool('postqueue', '-i', idOf('held'));
    await root.tool('postsuper', '-h', idOf('grey'));
    await root.tool('postsuper', '-d', idOf('grey'));
    const held = await told({ id: idOf('held') }, /delivered/);
    assert.match(held.text, /Released by an administrator/);
    const deleted = await told({ id: idOf('grey') }, /deleted from the queue/);
    assert.match(deleted.text, /Put on hold by an administrator/);
  });

  it('says so when there is nothing, or the question is wrong', async () => {
    const none = await told({ sender: 'nobody@nowhere.example' }, /No mail found/);
    assert.match(none.text, /The log holds nothing about this/);
    const wrong = await search({ id: 'DROP TABLE', from: '30.2.2026', to: '', sender: '' });
    assert.equal(wrong.status, 422);
    assert.match(wrong.text, /is no queue ID/);
    assert.match(wrong.text, /is no time\. It looks like/);
    assert.match(wrong.html, /value="DROP TABLE"/);
    assert.deepEqual(await htmlProblems(wrong.html), []);
  });

  it('shows the newest mails when nothing is named', async () => {
    const page = await told({ sender: '' }, /mails found, the newest first/);
    assert.ok(rows(page) >= 8);
    assert.deepEqual(await htmlProblems(page.html), []);
  });

  it('tells refusals by cause, with what to do about each', async () => {
    const refusals = (query: string, fits: (page: Page) => boolean): Promise<Page> =>
      until(`the refusals ${query}`, async () => {
        const found = await pages.client.get(`/mail/security/refusals${query}`);
        return fits(found) ? found : null;
      });
    const says =
      (words: RegExp) =>
      ({ text }: Page): boolean =>
        words.test(text);
    const page = await refusals('', says(/Not for us, and may not send outside/));
    assert.match(page.text, /mail\.stranger\.example \[203\.0\.113\.9\]/);
    assert.match(page.text, /make an alias/);
    assert.doesNotMatch(page.html, /<script>alert/);
    assert.deepEqual(await htmlProblems(page.html), []);
    await refusals(
      '?cause=unknownUser&q=203.0.113.9',
      ({ html, text }) => html.split('<tr id="r-').length === 2 && !/Searching/.test(text),
    );
    await refusals('?q=nothing.example', says(/Nothing like that was refused/));
  });
});
