/** Two administrators who save at the same time, through the pages of a real system. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { ConsoleClient } from '../support/console-client.js';
import { WholeSystem } from '../support/whole-system.js';

const SAVES = 50;
/** Every tenth save is one of the base configuration, the others add a domain. */
const BASE_EVERY = 10;
const BASE = '/mail/configuration/base';
const DOMAINS = '/mail/configuration/domains';
const PASSWORD = 'correct horse battery staple';

interface Saved {
  readonly actor: string;
  /** What the history calls it. */
  readonly what: string;
  readonly status: number;
}

describe(`${SAVES} saves at once by two administrators`, () => {
  let system: WholeSystem;
  const people = new Map<string, ConsoleClient>();
  const results: Saved[] = [];

  before(async () => {
    system = await WholeSystem.start();
    people.set('admin', system.browser);
    const account = { login: 'bernd', name: 'Bernd', password: PASSWORD, level: 'admin' };
    await system.browser.submit('/accounts/new', account);
    // The history calls the very first save of a page by another name than those after it.
    await (
      await open(system.browser, BASE, 'mailServerName', 'mx.example')
    )();
    await (
      await open(system.browser, DOMAINS, 'name', 'd.example')
    )();
    people.set('bernd', await new ConsoleClient(system.browser.url).signIn('bernd', PASSWORD));
  });
  after(() => system.stop());

  /** Somebody who is told that it took too long presses the button again. */
  async function press(browser: ConsoleClient, path: string, fields: URLSearchParams) {
    for (;;) {
      const answer = await browser.request('POST', path, fields);
      const text = await answer.text();
      if (answer.status === 303 || answer.status === 409) return answer.status;
      assert.match(text, /is saving right now/, `${answer.status}`);
    }
  }

  async function open(browser: ConsoleClient, path: string, field: string, value: string) {
    const page = await browser.get(path);
    const form = page.forms.find(({ names, method }) => method === 'post' && names.includes(field));
    assert.ok(form, page.text);
    const fields = new URLSearchParams();
    for (const [name, content] of form.fields) fields.append(name, content);
    fields.set(field, value);
    fields.set('intent', 'save');
    return () => press(browser, path, fields);
  }

  it('are each done or answered with both versions', async () => {
    const forms = await Promise.all(
      Array.from({ length: SAVES }, async (_, index) => {
        const actor = index % 2 === 0 ? 'admin' : 'bernd';
        const browser = people.get(actor) ?? assert.fail();
        const isBase = index % BASE_EVERY < 2;
        const value = isBase ? `mx${index}.example` : `d${index}.example`;
        const path = isBase ? BASE : DOMAINS;
        const field = isBase ? 'mailServerName' : 'name';
        const what = isBase ? `Mail server name: ${value}` : value;
        return { actor, what, send: await open(browser, path, field, value) };
      }),
    );
    const sent = forms.map(async ({ actor, what, send }) => ({
      actor,
      what,
      status: await send(),
    }));
    results.push(...(await Promise.all(sent)));
    const base = results.filter(({ what }) => what.startsWith('Mail'));
    assert.equal(base.filter(({ status }) => status === 303).length, 1);
    assert.ok(results.every((one) => base.includes(one) || one.status === 303));
  });

  it('lose no domain and mix no setting', async () => {
    const done = results.filter(({ status }) => status === 303);
    const name = done.find(({ what }) => what.startsWith('Mail'))?.what.split(': ')[1];
    const domains = done.filter(({ what }) => what.startsWith('d')).map(({ what }) => what);
    const { sections } = await system.helper.call(
      'read',
      { sections: ['base', 'domains'] },
      { actor: 'test' },
    );
    const base = sections['base']?.settings as { mailServerName: string };
    const local = sections['domains']?.settings as { names: readonly string[] };
    assert.equal(base.mailServerName, name);
    for (const domain of domains) assert.ok(local.names.includes(domain), domain);
    assert.equal(new Set(local.names).size, local.names.length);
    assert.deepEqual(await system.helper.call('drift', {}, { actor: 'test' }), []);
    const main = await readFile(`${system.root.places.configDir}/main.cf`, 'utf8');
    assert.equal([...main.matchAll(/^mydestination\b/gm)].length, 1);
  });

  it('stand in the history once each, with who did it', async () => {
    const pages: string[] = [];
    let path = '/mail/history';
    for (;;) {
      const page = await system.browser.get(path);
      pages.push(page.text);
      const older = /href="([^"]*[?&](?:amp;)?before=[^"]*)"/.exec(page.html)?.[1];
      if (!older) break;
      path = older.replaceAll('&amp;', '&');
    }
    const text = pages.join(' ');
    for (const { actor, what, status } of results) {
      const rows = [...text.matchAll(new RegExp(`${what.replaceAll('.', '\\.')} ${actor} `, 'g'))];
      assert.equal(rows.length, status === 303 ? 1 : 0, `${what} by ${actor}`);
    }
  });
});
