import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Test } from 'supertest';
import { CSRF } from '../support/dummy-host.js';
import { pluginPages } from '../support/plugin-pages.js';
import { formFields, textOf } from '../support/forms.js';
import { AWAY } from '../support/recording-helper.js';

const PATH = '/mail/security/exceptions';

describe('the pages of the exceptions', () => {
  const pages = pluginPages({ tables: ['changes', 'exceptions'] });

  const get = (path = ''): Test => pages.get(PATH + path);
  const post = (path: string, fields: object): Test =>
    pages.post(PATH + path, { _csrf: CSRF, ...fields });
  const add = async (value: string, note = ''): Promise<void> => {
    const answer = await post('/new', { value, note, enabled: '1', version: '0', intent: 'save' });
    assert.equal(answer.status, 303, textOf(answer.text));
  };
  const values = (): readonly string[] =>
    (pages.helper.applied.at(-1)?.sections['exceptions'] as { values: readonly string[] }).values;
  const keys = async (): Promise<readonly string[]> =>
    [...(await get()).text.matchAll(/name="row" value="([\d.]+)"/g)].map(([, key = '']) => key);

  it('say that there is none, and what one does', async () => {
    const words = textOf((await get()).text);
    assert.match(words, /Nobody is excepted/);
    assert.match(words, /A sender is easily forged/);
  });

  it('add what was typed in the form Postfix needs, and show it as people read it', async () => {
    await add('@Müller.Example', 'their server is odd');
    await add('192.0.2.0/255.255.255.0');
    assert.deepEqual(values(), ['192.0.2.0/24', 'xn--mller-kva.example']);
    const words = textOf((await get()).text);
    assert.match(words, /müller\.example.*Sender domain.*their server is odd/);
    assert.match(textOf((await get('?q=odd')).text), /müller/);
    assert.doesNotMatch(textOf((await get('?q=odd')).text), /192\.0\.2/);
  });

  it('are filled in by other pages, and lead to what is there already', async () => {
    const { text } = await get('/new?kind=ip&value=198.51.100.7');
    assert.equal(formFields(text)['value'], '198.51.100.7');
    assert.match(textOf(text), /The server at one address/);
    await add('198.51.100.7');
    const again = await get('/new?kind=ip&value=198.51.100.7');
    assert.equal(again.status, 303);
    assert.match(again.headers['location'] ?? '', /exceptions\/\d+$/);
    const hostile = await get(`/new?value=${encodeURIComponent('"><script>alert(1)</script>')}`);
    assert.doesNotMatch(hostile.text, /<script>alert/);
  });

  it('refuse what is none with an example, and what is there already', async () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      ['', /Enter who is excepted, such as/],
      ['com', /has no dot/],
      ['0.0.0.0/0', /is everybody/],
      ['192.0.2.7/24', /The network is 192\.0\.2\.0\/24/],
      ['a b@example.com', /no complete mail address/],
    ];
    for (const [value, problem] of cases) {
      const answer = await post('/new', { value, note: 'kept', version: '0', intent: 'save' });
      assert.equal(answer.status, 422, value);
      assert.match(textOf(answer.text), problem);
      assert.equal(formFields(answer.text)['note'], 'kept');
    }
    await add('example.com');
    const twice = await post('/new', { value: 'EXAMPLE.com', version: '0', intent: 'save' });
    assert.equal(twice.status, 422);
    assert.match(textOf(twice.text), /There is an exception for example\.com already/);
    assert.equal(pages.helper.applied.length, 1);
  });

  it('switch off and remove several at once, after a question', async () => {
    for (const value of ['one.example', 'two.example', 'three.example']) await add(value);
    const [first = '', second = ''] = await keys();
    assert.equal((await post('/act', { do: `off:${first}` })).status, 303);
    assert.deepEqual(values(), ['three.example', 'two.example']);
    const rows = await keys();
    const question = await post('/act', { do: 'ask', row: rows.slice(0, 2) });
    assert.match(textOf(question.text), /Remove 2 exceptions\?/);
    const stale = await post('/act', { do: 'remove', row: [first, second].join(' ') });
    assert.equal(stale.status, 409);
    const done = await post('/act', { do: 'remove', row: rows.slice(0, 2).join(' ') });
    assert.equal(done.status, 303);
    assert.deepEqual(values(), ['two.example']);
    assert.equal((await post('/act', { do: 'remove', all: 'filter' })).status, 303);
    assert.deepEqual(values(), []);
  });

  it('say how many networks can be in force, and change nothing beyond that', async () => {
    const networks = Array.from({ length: 501 }, (_, at) => ({
      ...{ kind: 'network', value: `198.${18 + (at >> 8)}.${at & 255}.0/24`, note: '', search: '' },
      ...{ enabled: at > 0, version: 1, updated_by: 'anna' },
    }));
    await pages.database.db.batchInsert('mail_exceptions', networks, 100);
    const fields = { note: '', version: '0', intent: 'save' };
    const added = await post('/new', { ...fields, value: '192.0.2.0/24', enabled: '1' });
    assert.equal(added.status, 422);
    assert.match(textOf(added.text), /At most 500 networks can be in force/);
    const off = await pages.database
      .db('mail_exceptions')
      .where('enabled', false)
      .first<{ id: string }>();
    const switched = await post('/act', { do: `on:${off.id}.1` });
    assert.equal(switched.status, 422);
    assert.match(textOf(switched.text), /Nothing was changed.*At most 500 networks/);
    assert.equal((await post('/new', { ...fields, value: '192.0.2.7', enabled: '1' })).status, 303);
  });

  it('show what somebody else saved meanwhile', async () => {
    await add('example.com');
    const [key = ''] = await keys();
    const [id = '', version = ''] = key.split('.');
    await post(`/${id}`, { value: 'other.example', enabled: '1', version, intent: 'save' });
    const answer = await post(`/${id}`, { value: 'mine.example', version, intent: 'save' });
    assert.equal(answer.status, 409);
    assert.match(textOf(answer.text), /They saved: other\.example/);
    assert.equal(formFields(answer.text)['value'], 'mine.example');
  });

  it('page by key, and sort', async () => {
    const rows = Array.from({ length: 60 }, (_, at) => ({
      ...{ kind: 'ip', value: `192.0.2.${at + 1}`, search: '', updated_by: 'test' },
    }));
    await pages.database.db('mail_exceptions').insert(rows);
    const first = await get('?sort=-value');
    const next = /href="([^"]+)" rel="next"/.exec(first.text)?.[1]?.replaceAll('&amp;', '&') ?? '';
    const second = await pages.get(next);
    const seen = [first, second].flatMap(({ text }) =>
      [...text.matchAll(/exceptions\/\d+">(192[\d.]+)</g)].map(([, value]) => value),
    );
    assert.equal(new Set(seen).size, 60);
  });

  it('say that the helper is away, and lose nothing', async () => {
    await add('example.com');
    pages.helper.failure = AWAY;
    const answer = await post('/new', { value: 'two.example', version: '0', intent: 'save' });
    assert.equal(answer.status, 502);
    assert.equal(formFields(answer.text)['value'], 'two.example');
    pages.helper.failure = null;
    assert.equal((await keys()).length, 1);
  });
});
