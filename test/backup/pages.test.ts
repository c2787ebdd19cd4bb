import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import request from 'supertest';
import { MAX_FILE_BYTES } from '../../lib/backup/file.js';
import { bindingOf } from '../../lib/smarthost/binding.js';
import { open } from '../../lib/secrets/seal.js';
import type { SmarthostSettings } from '../../lib/smarthost/schema.js';
import { CSRF } from '../support/dummy-host.js';
import { pluginPages } from '../support/plugin-pages.js';
import { formFields, textOf } from '../support/forms.js';
import { AWAY, refusedAt } from '../support/recording-helper.js';
import { htmlProblems } from '../support/valid-html.js';

const PATH = '/mail/backup';
const BASE = '/mail/configuration/base';
const SMARTHOST = '/mail/configuration/smarthost';
const PASSWORD = 'geheim: #1';

describe('backup and restore', () => {
  const pages = pluginPages({
    tables: ['changes', 'settings', 'domains', 'relay_networks', 'aliases'],
    prepare: (helper) => {
      helper.answers['system-aliases'] = () => ({ entries: [], count: 0 });
    },
  });

  const get = (path: string) => pages.get(path);
  const post = (path: string, fields: object) => pages.post(path, fields);
  const saveName = async (mailServerName: string): Promise<void> => {
    const fields = formFields((await get(BASE)).text);
    await post(BASE, { ...fields, mailServerName, intent: 'save' }).expect(303);
  };
  const saveSmarthost = async (change: object = {}): Promise<void> => {
    const fields = formFields((await get(SMARTHOST)).text);
    const settings = { host: 'relay.example', username: 'me@example', password: PASSWORD };
    await post(SMARTHOST, { ...fields, ...settings, ...change, intent: 'save' }).expect(303);
  };
  const download = async (): Promise<string> => (await get(`${PATH}/file`).expect(200)).text;
  const upload = (text: string | Buffer) =>
    request(pages.host.app)
      .post(PATH)
      .field('_csrf', CSRF)
      .attach('file', Buffer.from(text), 'settings.json');
  /** Where the browser goes after a file was taken. */
  const sent = async (text: string): Promise<string> => {
    const answer = await upload(text).expect(303);
    return (answer.headers['location'] as string) ?? '';
  };
  const name = async (): Promise<string | undefined> =>
    formFields((await get(BASE)).text)['mailServerName'];

  it('names nothing as saved before anything was', async () => {
    assert.match(textOf((await get(PATH)).text), /Nothing was saved here yet/);
    await saveName('kept.example');
    const page = textOf((await get(PATH)).text);
    assert.match(page, /what was saved on these pages: Base configuration There is no password/);
  });

  it('gives a file with all that was saved, and no password in any form', async () => {
    await saveName('kept.example');
    await saveSmarthost();
    const text = await download();
    assert.match(text, /kept\.example/);
    assert.match(text, /me@example, relay\.example/);
    assert.doesNotMatch(text, /mb1\.|geheim/);
    const page = textOf((await get(PATH)).text);
    assert.match(page, /must be entered anew: me@example, relay\.example/);
  });

  it('shows what would change, page by page, and changes nothing yet', async () => {
    await saveName('kept.example');
    const text = await download();
    await saveName('later.example');
    const { text: html } = await get(await sent(text)).expect(200);
    assert.deepEqual(await htmlProblems(html), []);
    assert.match(textOf(html), /Base configuration.*later\.example.*kept\.example/);
    assert.equal(await name(), 'later.example');
  });

  it('restores all of it as one change, and a second time finds nothing to do', async () => {
    await saveName('kept.example');
    const file = await download();
    await saveName('later.example');
    const place = await sent(file);
    const fields = formFields((await get(place)).text);
    await post(`${PATH}/restore`, fields).expect(303);
    assert.equal(await name(), 'kept.example');
    const applied = pages.helper.applied.length;
    const again = await get(await sent(file)).expect(200);
    assert.match(textOf(again.text), /Everything is as in the file already/);
    const gone = await post(`${PATH}/restore`, fields).expect(422);
    assert.match(textOf(gone.text), /waited too long/);
    assert.equal(pages.helper.applied.length, applied);
    assert.match(textOf((await get('/mail/history')).text), /Settings restored from a file/);
  });

  it('keeps a password that may go on being used, and asks for one that may not', async () => {
    await saveSmarthost();
    const file = await download();
    await saveName('later.example');
    const { text: kept } = await get(await sent(file)).expect(200);
    assert.doesNotMatch(kept, /type="password"/);
    await saveSmarthost({ host: 'other.example' });
    const place = await sent(file);
    const { text: asks } = await get(place).expect(200);
    assert.match(textOf(asks), /Password of me@example, relay\.example/);
    const fields = formFields(asks);
    const refused = await post(`${PATH}/restore`, fields).expect(422);
    assert.match(textOf(refused.text), /Enter the password of me@example/);
    const typed = { ...fields, 'secret:smarthost/password': 'neu' };
    await post(`${PATH}/restore`, typed).expect(303);
    const saved = pages.helper.applied.at(-1)?.sections['smarthost'] as SmarthostSettings;
    assert.equal(saved.host, 'relay.example');
    assert.equal(open(pages.helper.key, saved.password, bindingOf(saved)), 'neu');
  });

  it('restores a smarthost without its login when somebody says so', async () => {
    await saveSmarthost();
    const file = await download();
    await saveSmarthost({ host: 'other.example' });
    const fields = formFields((await get(await sent(file))).text);
    await post(`${PATH}/restore`, { ...fields, 'without:smarthost/password': 'yes' }).expect(303);
    const saved = pages.helper.applied.at(-1)?.sections['smarthost'] as SmarthostSettings;
    assert.deepEqual([saved.host, saved.username, saved.password], ['relay.example', '', '']);
  });

  it('loses nothing when the helper refuses or is away: it says so, and the file still waits', async () => {
    await saveName('kept.example');
    const file = await download();
    await saveName('later.example');
    const place = await sent(file);
    const fields = formFields((await get(place)).text);
    pages.helper.refusal = refusedAt('prove', 'helper.proof.banner');
    const refused = await post(`${PATH}/restore`, fields).expect(502);
    assert.doesNotMatch(refused.text, /<script>alert/);
    assert.equal(await name(), 'later.example');
    pages.helper.refusal = null;
    pages.helper.failure = AWAY;
    await get(place).expect(502);
    pages.helper.failure = null;
    await post(`${PATH}/restore`, fields).expect(303);
    assert.equal(await name(), 'kept.example');
  });

  it('says what is wrong with a file, and changes nothing', async () => {
    await saveName('kept.example');
    const file = await download();
    const cases: readonly (readonly [string | Buffer, RegExp])[] = [
      ['', /No file was chosen, or it is empty/],
      ['hello', /no file that this page made/],
      [file.slice(0, 100), /changed or damaged/],
      [file.replace('kept', 'kapt'), /changed or damaged/],
      [file.replace('"version": 1', '"version": 7'), /made by a newer version/],
      [Buffer.alloc(MAX_FILE_BYTES + 2 * 1024 * 1024, ' '), /larger than 32 MB/],
      [Buffer.from([0xff, 0xfe, 0x00]), /no file that this page made/],
    ];
    for (const [text, said] of cases) {
      const answer = await upload(text).expect(422);
      assert.match(textOf(answer.text), said);
    }
    assert.equal(await name(), 'kept.example');
    assert.deepEqual(pages.host.log.errors(), []);
  });

  it('refuses a well made file that says what no form would take', async () => {
    await saveName('kept.example');
    const { formatBackup, parseBackup } = await import('../../lib/backup/file.js');
    const file = parseBackup(await download());
    const hostile: readonly (readonly [object, RegExp])[] = [
      [{ base: { ...(file.sections['base'] as object), mailServerName: 'a\nb' } }, /cannot be/],
      [{ base: { ...(file.sections['base'] as object), extra: 1 } }, /cannot be/],
      [{ relay: { networks: [{ network: '0.0.0.0/0', note: '' }] } }, /cannot be/],
      [{ relay: { networks: [{ network: '10.0.0.0/8', note: 'x\ny' }] } }, /cannot be/],
      [
        { aliases: { aliases: [{ name: 'x', targets: ['|sh'], note: '', enabled: true }] } },
        /cannot be/,
      ],
      [{ domains: { names: ['a b'] } }, /cannot be/],
      [{ nothing: {} }, /does not know/],
    ];
    for (const [sections, said] of hostile) {
      const text = formatBackup({ ...file, sections: sections as Record<string, unknown> });
      const answer = await upload(text).expect(422);
      assert.match(textOf(answer.text), said, JSON.stringify(sections));
    }
  });

  it('is for administrators, and needs the token', async () => {
    for (const path of [PATH, `${PATH}/file`, `${PATH}/restore`]) {
      await get(path).set('x-roles', 'mail.read,mail.operate').expect(403);
    }
    await request(pages.host.app).post(PATH).attach('file', Buffer.from('x'), 'x.json').expect(403);
  });

  it('shows a file that waits to nobody else', async () => {
    await saveName('kept.example');
    const place = await sent(await download());
    const answer = await get(place).set('x-login', 'ben').expect(422);
    assert.match(textOf(answer.text), /waited too long/);
  });
});
