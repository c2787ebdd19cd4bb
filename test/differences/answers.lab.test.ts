import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import type { ConsoleClient, Page } from '../support/console-client.js';
import { startLab, type Lab } from '../support/lab.js';
import { until } from '../support/wait.js';

const BASE = '/mail/configuration/base';
const DOMAINS = '/mail/configuration/domains';
const RELAY = '/mail/configuration/relay-subnets';
const DIFFERENCES = '/mail/differences';

describe('what becomes of a hand edit, page by page', () => {
  let lab: Lab;
  let browser: ConsoleClient;
  before(async () => {
    lab = await startLab();
    browser = await lab.signIn();
  });
  after(() => lab.stop());

  const save = async (path: string, fields: Record<string, string>): Promise<Page> => {
    const page = await browser.submit(path, fields, { action: path, button: 'intent=save' });
    assert.equal(page.status, 200, page.text.slice(0, 1_000));
    return page;
  };
  const postconf = (setting: string): void => {
    execFileSync('/usr/sbin/postconf', ['-c', lab.configDir, '-e', setting]);
  };
  /** Pages know of a hand edit a moment later. */
  const told = (path: string, words: RegExp): Promise<true> =>
    until(`${path} says ${String(words)}`, async () => words.test(await textOf(path)));
  const textOf = async (path: string): Promise<string> => (await browser.get(path)).text;
  /** Ticks the edits with these names and chooses what becomes of them. */
  const decide = async (decision: string, ...names: string[]): Promise<Page> => {
    const { html } = await browser.get(DIFFERENCES);
    const all = [...html.matchAll(/name="edit" value="([^"]+)"/g)].map(([, value = '']) => value);
    const edit = all.filter((value) => names.some((name) => value.endsWith(` ${name}`)));
    assert.equal(edit.length, names.length, `${names.join()} among ${all.join()}`);
    return browser.submit(
      DIFFERENCES,
      { edit },
      { action: DIFFERENCES, button: `intent=${decision}` },
    );
  };
  /** Takes an edit that the page does not offer to take, as no browser would. */
  const insist = async (name: string): Promise<{ status: number; text: string }> => {
    const { html, text } = await browser.get(DIFFERENCES);
    assert.match(text, /That cannot become a setting:/);
    assert.doesNotMatch(html, /value="take"/);
    const [, edit = ''] = new RegExp(`name="edit" value="([^"]+ ${name})"`).exec(html) ?? [];
    const [, csrf = ''] = /name="_csrf" value="([^"]+)"/.exec(html) ?? [];
    const fields = { _csrf: csrf, version: '0', edit, intent: 'take' };
    const answer = await browser.request('POST', DIFFERENCES, new URLSearchParams(fields));
    return { status: answer.status, text: await answer.text() };
  };
  const domainsNow = async (): Promise<string[]> =>
    (await lab.postconf('mydestination')).split(/[\s,]+/);

  it('domains: one taken out by hand is told on its page, comes back, stays out, or is given up', async () => {
    await save(DOMAINS, { name: 'one.example' });
    const with_ = await lab.postconf('mydestination');
    const without = with_.replace(/,? *one\.example/, '');
    postconf(`mydestination=${without}`);
    await told(DOMAINS, /One setting of this page was edited by hand.*mydestination/);
    assert.match(await textOf(DIFFERENCES), /mydestination.*- one\.example/);
    await decide('overwrite', 'mydestination');
    assert.ok((await domainsNow()).includes('one.example'));
    postconf(`mydestination=${without}`);
    await decide('keep', 'mydestination');
    assert.ok(!(await domainsNow()).includes('one.example'));
    assert.doesNotMatch(await textOf(DOMAINS), /edited by hand/);
    assert.match(await textOf(DOMAINS), /one\.example/);
    postconf(`mydestination=${with_}`);
    await save(DOMAINS, { name: 'two.example' });
    postconf(
      `mydestination=${(await lab.postconf('mydestination')).replace(/,? *two\.example/, '')}`,
    );
    await decide('take', 'mydestination');
    assert.doesNotMatch(await textOf(DOMAINS), /two\.example|edited by hand/);
    assert.ok(!(await domainsNow()).includes('two.example'));
  });

  it('relay subnets: a network let in by hand becomes a row, or goes', async () => {
    await save(RELAY, { network: '192.168.50.0/24' });
    const ours = await lab.postconf('mynetworks');
    postconf(`mynetworks=${ours} 10.99.0.0/16`);
    await told(RELAY, /edited by hand/);
    await decide('take', 'mynetworks');
    assert.match(await textOf(RELAY), /10\.99\.0\.0\/16/);
    assert.doesNotMatch(await textOf(RELAY), /edited by hand/);
    assert.match(await lab.postconf('mynetworks'), /10\.99\.0\.0\/16/);
  });

  it('relay subnets: everybody let in by hand is an open relay, and cannot become a setting', async () => {
    const ours = await lab.postconf('mynetworks');
    // Nobody has told Postfix: each new process of it reads the file by itself.
    postconf('mynetworks=0.0.0.0/0');
    const checked = await browser.submit(RELAY, {}, { action: `${RELAY}/check` });
    assert.match(checked.text, /open relay/i);
    assert.match(checked.html, /RCPT TO:/);
    const refused = await insist('mynetworks');
    assert.equal(refused.status, 422);
    assert.match(refused.text, /0\.0\.0\.0\/0/);
    assert.equal(await lab.postconf('mynetworks'), '0.0.0.0/0');
    await decide('overwrite', 'mynetworks');
    assert.doesNotMatch(await lab.postconf('mynetworks'), /0\.0\.0\.0\/0/);
    for (const network of ours.match(/[\d.]+\/\d+/g) ?? []) {
      assert.ok((await lab.postconf('mynetworks')).includes(network), network);
    }
    const again = await browser.submit(RELAY, {}, { action: `${RELAY}/check` });
    assert.doesNotMatch(again.text, /is an open relay/i);
  });

  it('base: two edits are decided about one by one', async () => {
    await save(BASE, { mailServerName: 'ours.lab.example', maxMessageSizeMb: '20' });
    postconf('myhostname=theirs.lab.example');
    postconf('message_size_limit=31457280');
    await told(BASE, /2 settings of this page were edited by hand/);
    await decide('overwrite', 'myhostname');
    assert.equal(await lab.postconf('myhostname'), 'ours.lab.example');
    assert.equal(await lab.postconf('message_size_limit'), '31457280');
    await told(BASE, /One setting of this page was edited by hand/);
    await decide('take', 'message_size_limit');
    assert.match((await browser.get(BASE)).html, /name="maxMessageSizeMb" value="30"/);
    assert.doesNotMatch(await textOf(BASE), /edited by hand/);
  });

  it('base: nonsense written by hand is told, refused as a setting, and put right', async () => {
    await save(BASE, { maxMessageSizeMb: '20' });
    postconf('message_size_limit=abc');
    await told(BASE, /edited by hand/);
    assert.equal((await insist('message_size_limit')).status, 422);
    await decide('overwrite', 'message_size_limit');
    assert.equal(await lab.postconf('message_size_limit'), '20971520');
    await save(BASE, { maxMessageSizeMb: '' });
    assert.equal(await lab.postconf('message_size_limit'), '0');
  });

  it('aliases: an entry written into the table becomes an alias, or goes', async () => {
    const path = '/mail/aliases/new';
    await save(DOMAINS, { name: 'home.example' });
    const fields = { name: 'first', targets: 'alice' };
    await browser.submit(path, fields, { action: path, button: 'intent=save' });
    const table = `lmdb:${lab.configDir}/mailserver.d/aliases`;
    const write = (line: string): void => {
      execFileSync('/usr/sbin/postmap', ['-i', table], { input: `${line}\n` });
    };
    write('byhand\tbob@home.example');
    assert.match(await textOf(DIFFERENCES), /aliases.*\+ byhand bob@home\.example/);
    await told('/mail/aliases', /edited by hand.*aliases/);
    assert.equal((await decide('keep', 'aliases')).status, 422);
    await decide('take', 'aliases');
    assert.match(await textOf('/mail/aliases'), /byhand/);
    assert.doesNotMatch(await textOf(DIFFERENCES), /byhand/);
    write('again\tbob@home.example');
    await decide('overwrite', 'aliases');
    const left = execFileSync('/usr/sbin/postmap', ['-s', table], { encoding: 'utf8' });
    assert.match(left, /^byhand\t/m);
    assert.doesNotMatch(left, /^again\t/m);
  });

  it('main.cf set back by an update: all of it is told, nothing is overwritten unseen, and it comes back', async () => {
    const names = ['myhostname', 'message_size_limit', 'mydestination', 'mynetworks'];
    const before = await Promise.all(names.map((name) => lab.postconf(name)));
    execFileSync('/usr/sbin/postconf', ['-c', lab.configDir, '-X', ...names]);
    const refused = await browser.submit(
      BASE,
      { mailServerName: 'next.lab.example' },
      { action: BASE, button: 'intent=save' },
    );
    assert.equal(refused.status, 502);
    assert.match(refused.text, /edited by hand/);
    await decide('overwrite', ...names);
    const after = await Promise.all(names.map((name) => lab.postconf(name)));
    assert.equal(after[0], before[0]);
    assert.equal(after[1], before[1]);
    for (const domain of ['one.example', 'home.example'])
      assert.ok(after[2]?.includes(domain), domain);
    assert.match(after[3] ?? '', /10\.99\.0\.0\/16/);
    const sent = await lab.sendMail({ from: 'x@outside.example', to: 'alice@home.example' });
    assert.equal(sent.data?.code, 250);
  });
});
