import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Test } from 'supertest';
import { open } from '../../lib/secrets/seal.js';
import { openPassword } from '../../lib/smarthost/binding.js';
import type { SmarthostSettings } from '../../lib/smarthost/schema.js';
import { pluginPages } from '../support/plugin-pages.js';
import { formFields, textOf } from '../support/forms.js';
import { AWAY } from '../support/recording-helper.js';

const PATH = '/mail/configuration/smarthost';
const CANARY = ' :|+#"\\canary ä$x';

describe('the page Smarthost', () => {
  const pages = pluginPages({ tables: ['changes', 'settings'] });

  const get = (path = PATH): Test => pages.get(path);
  const post = (fields: Record<string, string>, path = PATH): Test => pages.post(path, fields);
  const shown = async (): Promise<Record<string, string>> =>
    formFields((await get().expect(200)).text);
  const applied = (): SmarthostSettings =>
    pages.helper.applied.at(-1)?.sections['smarthost'] as SmarthostSettings;
  const password = (): string =>
    openPassword(applied(), (box, binding) => open(pages.helper.key, box, binding));

  const provider = { host: 'smtp.example.com', port: '587', username: 'me' };
  const saveLogin = async (more: Record<string, string> = {}): Promise<void> => {
    const fields = { ...(await shown()), ...provider, password: CANARY, ...more, intent: 'save' };
    const answer = await post(fields);
    assert.equal(answer.status, 303, textOf(answer.text));
  };

  it('seals the password for server, port, user and connection, and shows it nowhere', async () => {
    await saveLogin();
    assert.equal(password(), CANARY);
    assert.deepEqual(
      { ...applied(), password: '' },
      {
        host: 'smtp.example.com',
        port: 587,
        mx: false,
        tls: 'starttls',
        verify: true,
        username: 'me',
        password: '',
      },
    );
    const answers = [await get(), await get('/mail/history'), await get('/mail/history/1')];
    for (const { text } of answers) {
      assert.equal(text.includes('canary'), false);
      assert.equal(text.includes('mb1.'), false);
    }
    const rows = JSON.stringify(await pages.database.db('mail_change_rows').select());
    assert.equal(rows.includes('mb1.'), false);
    assert.equal(JSON.stringify(pages.host.log.entries).includes('canary'), false);
  });

  it('loses no typed password when two change nothing but the password', async () => {
    await saveLogin();
    const mine = await shown();
    await saveLogin({ password: 'of the other administrator' });
    const refused = await post({ ...mine, password: 'my own', intent: 'save' });
    assert.equal(refused.status, 409);
    assert.match(textOf(refused.text), /The password you typed is kept/);
    assert.equal(refused.text.includes('my own'), false);
    assert.equal(password(), 'of the other administrator');
    const again = await post({ ...formFields(refused.text), intent: 'save' });
    assert.equal(again.status, 303, textOf(again.text));
    assert.equal(password(), 'my own');
  });

  it('takes the typed password along when two versions have to be compared', async () => {
    await saveLogin();
    const mine = await shown();
    await saveLogin({ verify: 'no', password: 'of the other administrator' });
    const refused = await post({ ...mine, verify: 'yes', password: 'my own', intent: 'save' });
    assert.equal(refused.status, 409);
    const fields = { ...formFields(refused.text), verify: 'yes', intent: 'save' };
    const chosen = await post(fields);
    assert.equal(chosen.status, 303, textOf(chosen.text));
    assert.equal(password(), 'my own');
  });

  it('keeps the password when the field stays empty and the connection stays or gets stricter', async () => {
    await saveLogin({ tls: 'may' });
    for (const change of [{ tls: 'starttls', verify: 'no' }, { verify: 'yes' }, { tls: 'smtps' }]) {
      const answer = await post({ ...(await shown()), ...change, intent: 'save' });
      assert.equal(answer.status, 303, textOf(answer.text));
      assert.equal(password(), CANARY);
    }
  });

  it('asks for the password again when it would go elsewhere, or over a weaker connection', async () => {
    await saveLogin();
    const before = pages.helper.applied.length;
    const others: Record<string, string>[] = [
      { host: 'smtp.attacker.example' },
      { port: '2525' },
      { username: 'you' },
      { verify: 'no' },
      { tls: 'may' },
      { tls: 'none' },
      { mx: 'yes' },
    ];
    for (const other of others) {
      for (const intent of ['save', 'preview', 'test']) {
        const answer = await post({ ...(await shown()), ...other, intent });
        assert.equal(answer.status, 422, JSON.stringify(other));
        assert.match(textOf(answer.text), /enter the password again/i);
        const [name = '', value] = Object.entries(other)[0] ?? [];
        assert.equal(formFields(answer.text)[name], value);
      }
    }
    assert.equal(pages.helper.applied.length, before);
  });

  it('removes the login, with one tick', async () => {
    await saveLogin();
    await post({ ...(await shown()), removePassword: 'yes', intent: 'save' }).expect(303);
    assert.equal(applied().username, '');
    assert.equal(applied().password, '');
    const { rows } = await pages.database.db.raw<{ rows: object[] }>(
      'select value from mail_settings',
    );
    assert.equal(JSON.stringify(rows).includes('mb1.'), false);
  });

  it('removes everything when the server is emptied', async () => {
    await saveLogin();
    await post({ ...(await shown()), host: '', intent: 'save' }).expect(303);
    assert.deepEqual([applied().host, applied().username, applied().password], ['', '', '']);
  });

  it('says what a password lacks instead of dropping it', async () => {
    const send = async (fields: Record<string, string>): Promise<string> => {
      const typed = { ...(await shown()), ...fields, password: 'canary', intent: 'save' };
      const answer = await post(typed).expect(422);
      return textOf(answer.text);
    };
    assert.match(
      await send({ host: 'smtp.example.com' }),
      /User name: Enter the user name as well, or leave the password empty/,
    );
    assert.match(
      await send({ host: '', username: 'me' }),
      /Server: Enter the server that the password is for/,
    );
    assert.match(
      textOf((await post({ ...(await shown()), host: '', username: 'me' }).expect(422)).text),
      /Server: Enter the server that the user name is for/,
    );
    assert.equal(pages.helper.applied.length, 0);
  });

  it('refuses bad input at its field, keeps what was typed, and writes nothing', async () => {
    const wrong: Record<string, string>[] = [
      { host: ' smtp.example.com' },
      { host: 'smtp.example.com:25' },
      { host: '$myhostname' },
      { port: '70000' },
      { port: 'smtp' },
      { tls: 'always' },
      { verify: 'maybe' },
      { username: 'm', password: 'x' },
      { username: 'me:you', password: 'x' },
      { username: 'me' },
      { password: 'canary ' },
      { host: '', username: 'me', password: 'canary ' },
      { username: 'me', password: 'canary ' },
      { username: 'me', password: 'a\nb' },
      { username: 'me', password: 'x'.repeat(2000) },
      { host: '192.0.2.1' },
      { host: 'x'.repeat(1_000_000) },
    ];
    for (const fields of wrong) {
      const answer = await post({
        ...(await shown()),
        host: 'smtp.example.com',
        ...fields,
        intent: 'save',
      });
      assert.equal(answer.status, 422, JSON.stringify(fields).slice(0, 80));
      assert.match(answer.text, /aria-invalid="true"|class="error"/);
      assert.equal(answer.text.includes('canary '), false);
    }
    assert.equal(pages.helper.applied.length, 0);
  });

  it('names an umlaut domain by its A-labels, and an address without brackets', async () => {
    const fields = { ...(await shown()), host: 'smtp.müller.example', intent: 'save' };
    await post(fields).expect(303);
    assert.equal(applied().host, 'smtp.xn--mller-kva.example');
    const other = { ...(await shown()), host: '[2001:db8::1]', verify: 'no', intent: 'save' };
    await post(other).expect(303);
    assert.equal(applied().host, '2001:db8::1');
  });

  it('tests what is typed, and keeps the typed password for the save that follows', async () => {
    pages.helper.answers['smarthost-test'] = () => ({
      ok: true,
      cause: 'works',
      encryption: { trust: 'verified', protocol: 'TLSv1.3', cipher: 'X' },
      mechanism: 'PLAIN',
      server: 'smtp.example.com[192.0.2.1]:587',
      detail: '250 <b>Ok</b>',
      dialogue: ['< 220 <script>', '> AUTH PLAIN ***'],
      milliseconds: 5,
    });
    const typed = { ...(await shown()), ...provider, password: CANARY, intent: 'test' };
    const started = await post(typed).expect(303);
    assert.equal(pages.helper.applied.length, 0);
    const { text } = await settled(started.headers['location'] as string);
    assert.match(textOf(text), /It works/);
    assert.match(text, /&lt;script&gt;/);
    const fields = formFields(text);
    assert.equal(fields['host'], 'smtp.example.com');
    assert.equal(fields['password'], '');
    await post({ ...fields, intent: 'save' }).expect(303);
    assert.equal(password(), CANARY);
  });

  it('gives a waiting password to nobody else, and for no other server', async () => {
    const typed = { ...(await shown()), ...provider, password: CANARY, intent: 'preview' };
    const fields = formFields((await post(typed).expect(200)).text);
    assert.notEqual(fields['passwordRef'], '');
    await post({ ...fields, host: 'smtp.attacker.example', intent: 'save' }).expect(422);
    const other = await post({ ...fields, intent: 'save' }).set('x-login', 'mallory');
    assert.equal(other.status, 422);
    await post({ ...fields, intent: 'save' }).expect(303);
  });

  it('shows a test to nobody but the one who started it', async () => {
    pages.helper.answers['smarthost-test'] = () => ({ ok: false, cause: 'other', dialogue: [] });
    const started = await post({ ...(await shown()), host: 'smtp.example.com', intent: 'test' });
    const id = (started.headers['location'] as string).split('test=')[1] ?? '';
    await get(`${PATH}/test/${id}`).set('x-login', 'mallory').expect(404);
    await get(`${PATH}/test/nothing`).expect(404);
  });

  it('sends a test message to one plain address', async () => {
    pages.helper.answers['test-message'] = () => ({
      state: 'sent',
      queueId: '4B1',
      relay: 'smtp.example.com[192.0.2.1]:587',
      reply: '250 Ok',
      milliseconds: 5,
      followed: true,
    });
    const fields = { _csrf: (await shown())['_csrf'] ?? '', testSender: 'me@example.com' };
    for (const testRecipient of [
      '',
      'nobody',
      'a@b, c@d',
      '-v@example.com',
      'a@example.com\nBcc: b@c.de',
    ]) {
      await post({ ...fields, testRecipient }, `${PATH}/message`).expect(422);
    }
    const good = { ...fields, testRecipient: 'anna@example.net' };
    const started = await post(good, `${PATH}/message`).expect(303);
    const { text } = await settled(started.headers['location'] as string);
    assert.match(textOf(text), /took the message to anna@example\.net/);
    pages.helper.answers['test-message'] = () => ({
      ...{ state: 'deferred', queueId: '4B1', relay: '', milliseconds: 5, followed: true },
      reply: 'SASL authentication failed; server smtp.example.com[192.0.2.1] said: 535 5.7.8 no',
    });
    const waits = await post(good, `${PATH}/message`).expect(303);
    assert.match(
      textOf((await settled(waits.headers['location'] as string)).text),
      /Reason: The smarthost refuses our login\. Check the user name and password/,
    );
    const umlaut = { ...fields, testRecipient: 'anna@müller.example' };
    await post(umlaut, `${PATH}/message`).expect(303);
    const sent = pages.helper.calls.findLast(({ action }) => action === 'test-message');
    assert.match(JSON.stringify(sent?.params), /"anna@xn--mller-kva\.example"/);
  });

  it('keeps what was typed when the helper is away or refuses', async () => {
    const fields = { ...(await shown()), ...provider, tls: 'smtps', port: '465', intent: 'save' };
    pages.helper.refusal = AWAY;
    const refused = await post({ ...fields, password: CANARY });
    assert.equal(refused.status, 502);
    assert.equal(formFields(refused.text)['port'], '465');
    assert.notEqual(formFields(refused.text)['passwordRef'], undefined);
    pages.helper.refusal = {
      ...AWAY,
      stage: 'validate',
      key: 'smarthost.problem.passwordAgain',
      values: { field: 'password' },
    };
    await post({ ...fields, password: CANARY }).expect(422);
    pages.helper.failure = AWAY;
    await post({ ...fields, password: CANARY }).expect(502);
    await get().expect(200);
  });

  it('shows both versions when somebody else was faster', async () => {
    const stale = await shown();
    await saveLogin();
    const answer = await post({ ...stale, host: 'other.example.com', intent: 'save' });
    assert.equal(answer.status, 409);
    assert.match(textOf(answer.text), /smtp\.example\.com/);
    assert.match(textOf(answer.text), /other\.example\.com/);
    assert.equal(answer.text.includes('mb1.'), false);
  });

  it('lets readers look, operators send, and only administrators save', async () => {
    const fields = { ...(await shown()), host: 'smtp.example.com', intent: 'save' };
    await get().set('x-roles', 'mail.read').expect(200);
    await post(fields).set('x-roles', 'mail.read,mail.operate').expect(403);
    await post(fields, `${PATH}/message`).set('x-roles', 'mail.read').expect(403);
    await get().set('x-roles', 'none').expect(403);
  });

  const settled = async (location: string): Promise<{ text: string }> => {
    for (let round = 0; round < 200; round += 1) {
      const answer = await get(location).expect(200);
      if (!/http-equiv="refresh"/.test(answer.text)) return answer;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error('the test never ended');
  };
});
