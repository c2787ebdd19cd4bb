import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Response, Test } from 'supertest';
import { fakeDns } from '../support/fake-dns.js';
import { pluginPages } from '../support/plugin-pages.js';
import { formFields, textOf } from '../support/forms.js';
import { refusedAt } from '../support/recording-helper.js';
import { until } from '../support/wait.js';

const PATH = '/mail/configuration/domains';
const ANNA = {
  id: '1',
  login: 'anna',
  name: 'Anna Berger',
  addresses: [],
  hasMailbox: true,
  system: false,
  locked: false,
  groups: [],
};

describe('Local domains', () => {
  const pages = pluginPages({
    tables: ['changes', 'settings', 'domains', 'domain_checks'],
    host: { users: [ANNA] },
  });

  const get = (path = PATH): Test => pages.get(path);
  const post = (path: string, fields: Record<string, string | string[]>): Test =>
    pages.post(path, fields);
  const add = async (name: string): Promise<Response> => {
    const fields = formFields((await get().expect(200)).text);
    return post(PATH, { ...fields, name, intent: 'save' });
  };
  const stored = (): Promise<string[]> =>
    pages.database.db('mail_domains').orderBy('name').pluck<string[]>('name');
  const keys = (html: string): string[] =>
    [...html.matchAll(/name="row" value="([^"]+)"/g)].map(([, key]) => key ?? '');

  it('warns while there is only localhost', async () => {
    const answer = await get().expect(200);
    assert.match(textOf(answer.text), /Acme Server has no mail domain of its own yet/);
    assert.match(
      textOf(answer.text),
      /Mail to this server’s own name old\.example\.com \(\$myhostname\) and localhost is also delivered here/,
    );
    assert.deepEqual(await pages.host.plugin.facts(), { localDomain: false, localDomains: [] });
    assert.deepEqual(pages.host.log.errors(), []);
  });

  it('adds a domain, in both forms when they differ', async () => {
    const answer = await add('Müller.Example');
    assert.equal(answer.status, 303);
    assert.deepEqual(pages.helper.applied.at(-1)?.sections, {
      domains: { names: ['xn--mller-kva.example'] },
    });
    const page = await get(answer.headers['location']).expect(200);
    assert.match(textOf(page.text), /Local domain added: müller\.example/);
    assert.match(textOf(page.text), /müller\.example xn--mller-kva\.example/);
    assert.deepEqual(await pages.host.plugin.facts(), {
      localDomain: true,
      localDomains: ['xn--mller-kva.example'],
    });
  });

  it('keeps the domains the machine has when the first one is added', async () => {
    pages.helper.machine['domains'] = { settings: { names: ['old.example'] }, unclear: [] };
    assert.match(textOf((await get()).text), /old\.example .*found on the machine, not saved yet/);
    assert.equal((await add('new.example')).status, 303);
    assert.deepEqual(await stored(), ['new.example', 'old.example']);
  });

  for (const [typed, problem] of [
    ['', /The domain is missing/],
    ['example..com', /is not a domain/],
    ['foo.com/x', /is not a domain/],
    ['0x7f000001', /is not a domain/],
    ['127.0.0.1', /is not a domain/],
    ['anna@example.com', /is an address/],
    [' example.com', /blank before or after/],
    ['example.com\nevil.com', /line break or another invisible/],
    ['a\u2028b.com', /line break or another invisible/],
    ['ex\ufffdmple.com', /arrived damaged/],
    ['$myhostname', /is not a domain/],
    ['|/bin/sh', /is not a domain/],
    ['localhost', /is always local/],
    ['<script>alert(1)</script>', /is not a domain/],
    [`${'a.'.repeat(127)}com`, /is not a domain/],
  ] as const) {
    it(`refuses ${JSON.stringify(typed.slice(0, 30))} and keeps it in the field`, async () => {
      const answer = await add(typed);
      assert.equal(answer.status, 422);
      assert.match(textOf(answer.text), problem);
      assert.doesNotMatch(answer.text, /<script>alert/);
      assert.equal(formFields(answer.text)['name'], typed);
      assert.deepEqual(pages.helper.applied, []);
      assert.deepEqual(await stored(), []);
    });
  }

  it('accepts one-letter labels and a final dot', async () => {
    await add('x.y.example.');
    assert.deepEqual(await stored(), ['x.y.example']);
  });

  it('refuses a domain that is there already, however it is written', async () => {
    await add('example.com');
    const answer = await add('EXAMPLE.com.');
    assert.equal(answer.status, 422);
    assert.match(textOf(answer.text), /example\.com is in the list already/);
  });

  it('answers a megabyte with words, not with a fault', async () => {
    const answer = await add('x'.repeat(1_000_000));
    assert.equal(answer.status, 422);
    assert.match(textOf(answer.text), /1,000,000 characters; at most 4,000/);
  });

  it('loses none of many that are added at once', async () => {
    await get();
    const fields = formFields((await get()).text);
    const names = Array.from({ length: 20 }, (_, index) => `d${index}.example`);
    await Promise.all(
      names.map(async (name) => post(PATH, { ...fields, name, intent: 'save' }).expect(303)),
    );
    assert.deepEqual(await stored(), names.toSorted());
    const sections = pages.helper.applied.at(-1)?.sections as { domains: { names: string[] } };
    assert.deepEqual(sections.domains.names, names.toSorted());
  });

  it('says what to publish where the DNS lacks the key that mail is signed with', async () => {
    const dns = fakeDns({ 'acme.org': { mx: [[10, 'old.example.com']] } });
    await pages.restart({ dns });
    const key = { domain: 'acme.org', selector: 's1', kind: 'rsa', publicKey: 'QUJD'.repeat(40) };
    pages.helper.answers['dkim-keys'] = () => ({ keys: [key], unreadable: [] });
    await add('acme.org');
    const { text: html } = await until('the check', async () => {
      const answer = await get(`${PATH}/acme.org`);
      return answer.text.includes('_domainkey') ? answer : undefined;
    });
    assert.match(
      textOf(html),
      /\(DKIM\) wrong Mail from acme\.org is signed here, but the DNS does not have the key.* with the name s1\._domainkey\.acme\.org and this text: v=DKIM1; k=rsa; p=QUJDQUJD/,
    );
    const [, record = ''] = /<code>(.*?)<\/code>/.exec(html) ?? [];
    assert.equal(record.replaceAll('<wbr>', ''), `v=DKIM1; k=rsa; p=${key.publicKey}`);
  });

  it('shows checks of before there was one of DKIM', async () => {
    const found = { state: 'ok', key: 'domains.check.mx.here', values: { domain: 'x', host: 'y' } };
    await add('acme.org');
    await pages.restart();
    const findings = JSON.stringify({ mx: found, ptr: found, spf: found });
    const row = { name: 'acme.org', findings, checked_at: new Date() };
    await pages.database.db('mail_domain_checks').insert(row).onConflict('name').merge();
    const { text: html } = await get(`${PATH}/acme.org`).expect(200);
    assert.match(textOf(html), /Whether mail from acme\.org is signed here is not known/);
  });

  it('says what goes with a domain before it is removed', async () => {
    await add('example.com');
    const [key = ''] = keys((await get()).text);
    const page = await get(`${PATH}/remove?row=${key}`).expect(200);
    const text = textOf(page.text);
    assert.match(text, /Remove the domain example\.com\?/);
    assert.match(text, /One user loses the address at example\.com, such as anna@example\.com/);
    assert.match(text, /No mail domain is left after that/);
    assert.deepEqual(await stored(), ['example.com']);
  });

  it('removes the ticked domains together', async () => {
    for (const name of ['a.example', 'b.example', 'c.example']) await add(name);
    const [first = '', , third = ''] = keys((await get()).text);
    const page = await get(`${PATH}/remove?row=${first}&row=${third}`).expect(200);
    const answer = await post(`${PATH}/remove`, {
      ...formFields(page.text),
      row: [first, third],
      intent: 'save',
    });
    assert.equal(answer.status, 303);
    assert.deepEqual(await stored(), ['b.example']);
  });

  it('removes a domain that only the machine knew', async () => {
    const settings = { names: ['old.example', 'other.example'] };
    pages.helper.machine['domains'] = { settings, unclear: [] };
    const page = await get(`${PATH}/remove?row=name:old.example`).expect(200);
    await post(`${PATH}/remove`, { ...formFields(page.text), intent: 'save' }).expect(303);
    assert.deepEqual(await stored(), ['other.example']);
  });

  it('removes nothing when one of the selection went meanwhile, and says so', async () => {
    for (const name of ['a.example', 'b.example']) await add(name);
    const rows = keys((await get()).text);
    const page = await get(`${PATH}/remove?row=${rows[0]}&row=${rows[1]}`).expect(200);
    const fields = { ...formFields(page.text), row: rows, intent: 'save' };
    await pages.database.db('mail_domains').where({ name: 'a.example' }).delete();
    const answer = await post(`${PATH}/remove`, fields);
    assert.equal(answer.status, 409);
    assert.match(textOf(answer.text), /Somebody removed a domain of the selection meanwhile/);
    assert.deepEqual(await stored(), ['b.example']);
    await pages.database.db('mail_domains').delete();
    const gone = await post(`${PATH}/remove`, fields).expect(303);
    assert.match(textOf((await get(gone.headers['location'])).text), /Somebody removed a domain/);
  });

  it('keeps what was typed when the helper refuses', async () => {
    pages.helper.refusal = refusedAt('prove', 'helper.proof.stranger');
    const answer = await add('example.com');
    assert.equal(answer.status, 502);
    assert.match(textOf(answer.text), /it was an open relay/);
    assert.equal(formFields(answer.text)['name'], 'example.com');
  });

  it('is searched, sorted and paged', async () => {
    await pages.database
      .db('mail_settings')
      .insert({ id: 'domains', value: '{}', updated_by: 'x' });
    const names = Array.from({ length: 120 }, (_, index) => `d${index}.example`);
    await pages.database
      .db('mail_domains')
      .insert([...names, 'xn--mller-kva.example'].map((name) => ({ name, updated_by: 'anna' })));
    const first = (await get().expect(200)).text;
    assert.equal(keys(first).length, 50);
    assert.match(textOf(first), /1 to 50 of 121/);
    assert.match(first, />d0\.example<[\s\S]*>d1\.example<[\s\S]*>d2\.example</);
    const next = /href="([^"]*after=[^"]*)" rel="next"/.exec(first)?.[1] ?? '';
    const second = (await get(next.replaceAll('&amp;', '&'))).text;
    assert.match(textOf(second), /51 to 100 of 121/);
    assert.match(textOf((await get(`${PATH}?q=MÜLL`)).text), /müller\.example .*1 to 1 of 1/);
    assert.match((await get(`${PATH}?sort=-name`)).text, /aria-sort="descending"/);
    assert.match(textOf((await get(`${PATH}?q=nothing`)).text), /No domain contains “nothing”/);
  });
});
