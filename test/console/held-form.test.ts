import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Router } from 'express';
import { after, before, describe, it } from 'node:test';
import type { Host, Plugin } from '../../lib/contract.js';
import {
  createHeldForms,
  HOLD_LIMIT_MS,
  MAX_HELD_BYTES,
} from '../../lib/console/sign-in/held-form.js';
import {
  fieldIn,
  PASSWORD,
  startTestConsole,
  tokenIn,
  type TestConsole,
} from '../support/test-console.js';

/** A plugin with one form, which remembers what reached it. */
function recordingPlugin(received: unknown[]) {
  return (host: Host): Plugin => {
    const router = Router();
    router.post('/form', host.requireRole('mail.admin'), (req, res) => {
      received.push(req.body);
      res.send('received');
    });
    return {
      router,
      start: () => Promise.resolve(),
      facts: () => Promise.resolve({ localDomain: false, localDomains: [] }),
      health: () => Promise.resolve({ status: 'ok', problems: [] }),
      backup: () => Promise.resolve(''),
      restore: () => Promise.resolve(false),
      close: () => Promise.resolve(),
    };
  };
}

describe('a form that arrives after the session ended', () => {
  const received: Record<string, unknown>[] = [];
  let test: TestConsole;
  const typed = { name: 'what I typed', password: 'secret-canary', intent: 'save', many: 'ä"<>&' };

  /** Signs in, loses the session, sends the form; gives back the answer. */
  const sendLate = async (headers: Record<string, string> = {}) => {
    const browser = test.browser();
    await browser.signIn('anna');
    const token = tokenIn((await browser.get('/account')).text);
    await test.database.db('console_sessions').delete();
    const answer = await browser.send('/mail/form?tab=1', { _csrf: token, ...typed }, headers);
    return { browser, answer };
  };

  before(async () => {
    test = await startTestConsole({ createPlugin: recordingPlugin(received) });
    await test.account('anna');
    await test.account('otto', { level: 'read', manages: false });
  });
  after(() => test.close());

  it('is kept, unreadable, on the sign-in page, and goes on after one press', async () => {
    const { browser, answer } = await sendLate();
    assert.equal(answer.status, 401);
    assert.match(answer.text, /Nothing is lost/);
    assert.doesNotMatch(answer.text, /secret-canary|what I typed/);

    const held = fieldIn(answer.text, 'held');
    const wrong = await browser.send('/login', {
      _csrf: tokenIn(answer.text),
      username: 'anna',
      password: 'a slip of the pen',
      held,
    });
    assert.equal(wrong.status, 401);
    assert.equal(fieldIn(wrong.text, 'held'), held, 'a wrong password loses nothing');

    const signedIn = await browser.send('/login', {
      _csrf: tokenIn(wrong.text),
      username: 'anna',
      password: PASSWORD,
      held,
    });
    assert.equal(signedIn.headers['location'], '/login/resume');
    const resume = await browser.get('/login/resume');
    assert.match(resume.text, /action="\/mail\/form\?tab=1"/);
    assert.doesNotMatch(resume.text, /secret-canary/);
    assert.equal(received.length, 0, 'nothing is sent without the press');

    const press = { _csrf: tokenIn(resume.text), _held: '1' };
    const done = await browser.send('/mail/form?tab=1', press);
    assert.equal(done.text, 'received');
    const { _csrf, ...fields } = received[0] ?? {};
    assert.equal(typeof _csrf, 'string');
    assert.deepEqual(fields, typed);

    const again = await browser.send('/mail/form?tab=1', press);
    assert.equal(again.status, 410, 'it is sent once');
    assert.equal(received.length, 1);
  });

  it('lies in the database only sealed', async () => {
    const { browser, answer } = await sendLate();
    await browser.send('/login', {
      _csrf: tokenIn(answer.text),
      username: 'anna',
      password: PASSWORD,
      held: fieldIn(answer.text, 'held'),
    });
    const rows = JSON.stringify(await test.database.db('console_sessions').select());
    assert.match(rows, /heldForm/);
    assert.doesNotMatch(rows, /secret-canary|what I typed/);
  });

  it('is not kept when another site sent it', async () => {
    for (const headers of [{ 'Sec-Fetch-Site': 'cross-site' }, { 'Sec-Fetch-Site': 'same-site' }]) {
      const { answer } = await sendLate(headers);
      assert.equal(answer.status, 401);
      assert.doesNotMatch(answer.text, /name="held"/);
    }
  });

  it('still meets the rights of who signs in', async () => {
    const before = received.length;
    const { browser, answer } = await sendLate();
    await browser.send('/login', {
      _csrf: tokenIn(answer.text),
      username: 'otto',
      password: PASSWORD,
      held: fieldIn(answer.text, 'held'),
    });
    const resume = await browser.get('/login/resume');
    const press = { _csrf: tokenIn(resume.text), _held: '1' };
    assert.equal((await browser.send('/mail/form?tab=1', press)).status, 403);
    assert.equal(received.length, before);
  });

  it('goes nowhere but where it was going', async () => {
    const { browser, answer } = await sendLate();
    await browser.send('/login', {
      _csrf: tokenIn(answer.text),
      username: 'anna',
      password: PASSWORD,
      held: fieldIn(answer.text, 'held'),
    });
    const resume = await browser.get('/login/resume');
    const press = { _csrf: tokenIn(resume.text), _held: '1' };
    assert.equal((await browser.send('/mail/form?tab=2', press)).status, 410);
  });

  it('is answered for a part with 401, and nothing to swap in', async () => {
    const answer = await test.browser().get('/mail/part').set('HX-Request', 'true');
    assert.equal(answer.status, 401);
    assert.equal(answer.text, '');
  });
});

describe('the seal of a held form', () => {
  const secret = randomBytes(32);
  const form = { path: '/mail/x', fields: { name: 'value', list: ['a', 'b'], _csrf: 'token' } };

  it('opens to what was sealed, without the token of the old session', () => {
    const forms = createHeldForms(secret);
    assert.deepEqual(forms.open(forms.seal(form)), {
      path: '/mail/x',
      fields: { name: 'value', list: ['a', 'b'] },
    });
  });

  it('opens for nobody else, not when changed, not when old', () => {
    let now = 0;
    const forms = createHeldForms(secret, () => now);
    const box = forms.seal(form) ?? '';
    assert.equal(createHeldForms(randomBytes(32)).open(box), null);
    for (let at = 0; at < box.length; at += 7) {
      const changed = box.slice(0, at) + (box[at] === 'A' ? 'B' : 'A') + box.slice(at + 1);
      assert.equal(forms.open(changed), null);
    }
    for (const nonsense of ['', 'AAAA', 'x'.repeat(200), null, undefined, ['a'], 7]) {
      assert.equal(forms.open(nonsense), null);
    }
    now = HOLD_LIMIT_MS;
    assert.notEqual(forms.open(box), null);
    now = HOLD_LIMIT_MS + 1;
    assert.equal(forms.open(box), null);
  });

  it('is not made for a form that is too large', () => {
    const forms = createHeldForms(secret);
    const fields = { text: 'x'.repeat(MAX_HELD_BYTES) };
    assert.equal(forms.seal({ path: '/', fields }), null);
  });
});
