import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HelperError } from '../../lib/errors.js';
import { createSocketTransport } from '../../lib/client/socket-transport.js';
import { insertSample } from '../../lib/queue/store.js';
import { CSRF } from '../support/dummy-host.js';
import { fakeDns } from '../support/fake-dns.js';
import { pluginPages } from '../support/plugin-pages.js';
import { textOf } from '../support/forms.js';
import { AWAY } from '../support/recording-helper.js';
import { startSilentHelper } from '../support/silent-helper.js';
import { until } from '../support/wait.js';

const ACME = fakeDns({
  'acme.org': { mx: [[10, 'old.example.com']], txt: ['v=spf1 mx -all'] },
  'old.example.com': { a: ['193.99.144.80'] },
  '193.99.144.80': { ptr: ['old.example.com'] },
  'lost.example.org': { mx: [[10, 'nowhere.example.org']] },
});

describe('the overview', () => {
  const pages = pluginPages({
    tables: ['domain_checks', 'guide'],
    host: { dns: ACME },
    prepare: async (_helper, { db }) => {
      // The first steps have a test of their own.
      await db('mail_guide').insert({ mark: 'hidden', actor: 'anna' });
    },
  });
  const read = async (): Promise<string> => textOf((await pages.get('/mail')).text);

  it('says that all is well when it is', async () => {
    pages.helper.machine['domains'] = { settings: { names: ['acme.org'] }, unclear: [] };
    const text = await read();
    assert.match(text, /Mail is flowing\. There is nothing for you to do\./);
    assert.match(text, /It calls itself old\.example\.com\. It takes mail for one domain\./);
    assert.deepEqual(await pages.host.plugin.health(), { status: 'ok', problems: [] });
    assert.deepEqual(pages.host.log.errors(), []);
  });

  it('says what is to do while there is no domain', async () => {
    assert.match(await read(), /There is something for you to do.*no mail domain of its own yet/);
    const { status, problems } = await pages.host.plugin.health();
    assert.equal(status, 'degraded');
    assert.equal(problems[0]?.key, 'overview.trouble.noDomain');
  });

  it('says first that mail stands still', async () => {
    pages.helper.postfix = { installed: true, running: false, version: '3.7.11' };
    assert.match(await read(), /Mail stands still: Postfix is not running/);
    assert.equal((await pages.host.plugin.health()).status, 'failing');
  });

  it('starts Postfix, or says why it did not come up', async () => {
    pages.helper.postfix = { installed: true, running: false, version: '3.7.11' };
    assert.match(await read(), /nothing is lost yet\. Start Postfix/);
    assert.doesNotMatch(
      textOf((await pages.get('/mail').set('x-roles', 'mail.read,mail.operate')).text),
      /Start Postfix/,
    );
    pages.helper.answers['postfix-start'] = () => {
      throw new HelperError({
        ...{ stage: 'activate', key: 'helper.activate.start', restored: false },
        ...{ values: { service: 'postfix start' }, detail: 'fatal: bad field count' },
      });
    };
    const refused = await pages.post('/mail/start', { _csrf: CSRF });
    assert.equal(refused.status, 502);
    assert.match(textOf(refused.text), /Postfix did not start: .* fatal: bad field count/);
    pages.helper.answers['postfix-start'] = () => {
      pages.helper.postfix = { installed: true, running: true, version: '3.7.11' };
      return { did: 'start' };
    };
    const started = await pages.post('/mail/start', { _csrf: CSRF });
    assert.equal(started.status, 303);
    const text = textOf((await pages.get(started.headers['location'] ?? '')).text);
    assert.match(text, /Postfix is running again/);
    assert.doesNotMatch(text, /Mail stands still/);
  });

  it('says what was edited by hand, and first that strangers may send', async () => {
    const open = { key: 'relay.unclear.everyone', value: '0.0.0.0/0', parameter: 'mynetworks' };
    const networks = { networks: ['127.0.0.0/8'] };
    pages.helper.machine['relay'] = { settings: networks, unclear: [open], edited: ['mynetworks'] };
    const { text: html } = await pages.get('/mail');
    const text = textOf(html);
    assert.match(text, /Strangers may send through this server: it is an open relay/);
    assert.match(text, /One setting was edited by hand/);
    assert.match(html, /href="\/mail\/differences"/);
    assert.match(html, /href="\/mail\/configuration\/relay-subnets"/);
    assert.equal((await pages.host.plugin.health()).status, 'failing');
  });

  it('says when the queue has no room', async () => {
    pages.helper.queueFreeBytes = 1_000_000;
    assert.match(await read(), /No mail is taken: the mail queue has too little room/);
  });

  it('says that nothing is known when the helper never answered', async () => {
    pages.helper.failure = AWAY;
    assert.match(await read(), /Whether mail is flowing is not known right now/);
    assert.equal((await pages.host.plugin.health()).status, 'degraded');
  });

  it('has a row for each part, with its state in a word and what is known', async () => {
    pages.helper.answers['queue-counts'] = () => ({
      counts: { maildrop: 0, incoming: 1, active: 0, deferred: 6, hold: 2 },
      disk: { free: 2 * 1024 ** 3, needed: 15 * 1024 ** 2 },
    });
    const text = await read();
    assert.match(text, /Mail server fine Postfix 3\.7\.11 is running\./);
    assert.match(
      text,
      /Mail queue fine 7 mails wait\. 2 mails are on hold\. There is room for 2\sGB\./,
    );
    assert.match(text, /Fetch mail off Nothing is fetched from other providers\./);
    assert.match(
      text,
      /Policy server off Mail from strangers is taken without asking any further\./,
    );
    assert.match(text, /Spam and virus protection off Mail is not scanned\./);
    assert.match(text, /Encryption fine Mail from other servers is encrypted when they can\./);
  });

  it('does not wait for a part that hangs, and names it', async () => {
    await pages.restart({ patienceMs: 300 });
    pages.helper.answers['security-status'] = () => new Promise(() => undefined);
    pages.helper.answers['fetchmail-status'] = () => new Promise(() => undefined);
    const text = await read();
    // On a slow machine there may be more of it.
    assert.match(
      text,
      /Nothing new is known here of: [^.]*Fetch mail[^.]*Spam and virus protection/,
    );
    assert.match(text, /Mail server fine Postfix 3\.7\.11 is running\./);
    assert.match(text, /Fetch mail not known/);
    assert.match(text, /Spam and virus protection not known/);
    assert.doesNotMatch(text, /nothing for you to do/);
    const { status, problems } = await pages.host.plugin.health();
    assert.equal(status, 'degraded');
    assert.ok(problems.some(({ key }) => key === 'overview.missed.title'));
  });

  it('calls nothing fine that did not answer in time', async () => {
    pages.helper.machine['domains'] = { settings: { names: ['acme.org'] }, unclear: [] };
    await pages.restart({ patienceMs: 300 });
    pages.helper.answers['encryption'] = () => new Promise(() => undefined);
    const text = await read();
    assert.match(text, /Nothing new is known here of: [^.]*Encryption/);
    assert.match(text, /Encryption not known/);
    assert.match(text, /There is something for you to do\./);
  });

  it('waits for nothing twice while the helper takes requests and never answers', async () => {
    const silent = await startSilentHelper();
    const patience = { lookMs: 300, silenceMs: 300 };
    await pages.restart({ helper: createSocketTransport({ path: silent.path, patience }) });
    const text = await read();
    assert.match(text, /Whether mail is flowing is not known right now/);
    assert.match(text, /The helper did not answer in time/);
    await silent.stop();
  });

  it('shows the queue as it was counted last while the helper is away, and from when that is', async () => {
    await insertSample(pages.database.db, {
      ...{ waiting: 3, held: 0, diskFree: 5e12, diskNeeded: 1.5e7, stalls: [] },
    });
    await pages.database.db('mail_queue_samples').update({ at: new Date(Date.now() - 60_000) });
    pages.helper.failure = AWAY;
    assert.match(await read(), /Mail queue fine 3 mails wait\. .*As of \d\d:\d\d\./);
    await pages.database.db('mail_queue_samples').delete();
  });

  it('shows what the DNS says of the domains with its age, the worst first, and asks in the background', async () => {
    pages.helper.machine['domains'] = {
      settings: { names: ['acme.org', 'lost.example.org', 'box.lan'] },
      unclear: [],
    };
    assert.match(await read(), /acme\.org not checked yet.* asking/);
    await until('both answers', async () => {
      const answers = await pages.database.db('mail_domain_checks').select('name');
      return answers.length === 2;
    });
    const { text: html } = await pages.get('/mail');
    const text = textOf(html);
    assert.match(
      text,
      /lost\.example\.org wrong .* just now acme\.org fine fine fine not signed just now/,
    );
    assert.match(text, /Nobody outside can send mail to lost\.example\.org/);
    assert.match(html, /href="\/mail\/configuration\/domains\/lost\.example\.org">See what/);
    assert.doesNotMatch(html, /box\.lan/);
    const { problems } = await pages.host.plugin.health();
    assert.ok(problems.some(({ key }) => key === 'overview.trouble.dns'));
  });

  it('says first that mail is stuck, why, and what to do, and comes back to calm', async () => {
    const oldest = Math.floor(Date.now() / 1000) - 1_200;
    const stall = { destination: null, messages: 3, oldest, cause: 'smarthostLogin' };
    await insertSample(pages.database.db, {
      ...{ waiting: 3, held: 0, diskFree: 5e12, diskNeeded: 1.5e7, stalls: [stall] },
    });
    const { text: html } = await pages.get('/mail');
    assert.match(
      textOf(html),
      /Check again 3 mails wait: The smarthost refuses our login The oldest came .* Check the user name and password of the smarthost/,
    );
    assert.equal(textOf(html).match(/3 mails wait: /g)?.length, 1, 'it is said once');
    assert.match(html, /href="\/mail\/queue\?reason=smarthostLogin"/);
    assert.match(textOf(html), /Mail queue broken/);
    assert.equal((await pages.host.plugin.health()).status, 'failing');
    await pages.database.db('mail_queue_samples').delete();
    assert.doesNotMatch(await read(), /refuses our login/);
  });

  it('says when the mail queue grows, a destination stalls or room runs out, and leads there', async () => {
    const hour = 60 * 60 * 1000;
    const quiet = { held: 0, diskFree: 5e12, diskNeeded: 1.5e7, stalls: [] };
    await insertSample(pages.database.db, { ...quiet, waiting: 3 });
    const before = new Date(Date.now() - 1.2 * hour);
    await pages.database.db('mail_queue_samples').update({ at: before });
    const oldest = Math.floor((Date.now() - 5 * hour) / 1000);
    const stall = { destination: 'firma.example', messages: 40, oldest, cause: 'refused' };
    await insertSample(pages.database.db, {
      ...quiet,
      waiting: 90,
      diskFree: 60 * 1024 ** 2,
      stalls: [stall],
    });
    const { text: html } = await pages.get('/mail');
    const text = textOf(html);
    assert.match(text, /90 mails wait; an hour before it was 3/);
    assert.match(text, /40 mails for firma\.example cannot be delivered The oldest came /);
    assert.match(text, /Reason: The other server takes no connections/);
    assert.match(
      text,
      /The mail queue is running out of room 60\sMB are free\. .* To the mail queue/,
    );
    assert.match(html, /href="\/mail\/queue\?recipient=%40firma\.example"/);
    const german = await pages.get('/mail').set('x-language', 'de');
    assert.match(textOf(german.text), /40 Mails an firma\.example lassen sich nicht zustellen/);
    await pages.database.db('mail_queue_samples').delete();
  });
});
