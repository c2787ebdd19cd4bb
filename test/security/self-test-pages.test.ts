/** A mail that a scanner has to find, sent from its page. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HelperError } from '../../lib/errors.js';
import type { SelfTestResult } from '../../lib/security/service.js';
import { formFields, textOf } from '../support/forms.js';
import { AWAY } from '../support/recording-helper.js';
import { pluginPages } from '../support/plugin-pages.js';
import { until } from '../support/wait.js';

const PATH = '/mail/security';

describe('the tests of the scanners', () => {
  const pages = pluginPages({ tables: ['changes', 'settings'] });
  const { get, post, submit } = pages;

  it('send a mail that has to be found, and say what became of it', async () => {
    await submit(`${PATH}/spam`, { spam: 'yes' });
    const ended: SelfTestResult = {
      ...{
        outcome: 'kept',
        recipient: 'anna@lab.test',
        reply: '250 discarded <b>',
        queueId: '4xA',
      },
      ...{ keptAs: 'spam-Abcdefghijk1', score: 999.8, milliseconds: 1_200 },
    };
    pages.helper.answers['security-test'] = () => ended;
    const { _csrf = '' } = formFields((await get(`${PATH}/spam`)).text);
    const test = { _csrf, what: 'spam', testRecipient: 'anna@lab.test' };
    const answer = await post(`${PATH}/test`, test);
    assert.equal(answer.headers['location'], `${PATH}/spam#self-test`);
    const page = await until('the end of it', async () => {
      const { text } = await get(`${PATH}/spam`);
      return /found and kept back/.test(textOf(text)) ? text : undefined;
    });
    assert.match(page, /href="\/mail\/security\/quarantine\/spam-Abcdefghijk1"/);
    assert.match(textOf(page), /Points: 999\.8/);
    assert.doesNotMatch(page, /discarded <b>/);
    const call = pages.helper.calls.find(({ action }) => action === 'security-test');
    assert.deepEqual([call?.params['what'], call?.params['recipient']], ['spam', 'anna@lab.test']);
    assert.doesNotMatch((await get(`${PATH}/virus`)).text, /found and kept back/);
    assert.match((await get(`${PATH}/test/spam`)).text, /found and kept back/);
    pages.helper.answers['security-test'] = () => ({ ...ended, outcome: 'passed', keptAs: '' });
    await post(`${PATH}/test`, test);
    await until('the bad news', async () =>
      /came through unmarked/.test((await get(`${PATH}/spam`)).text),
    );
  });

  it('lead back to the page of a test that is under way when a second one is refused', async () => {
    await submit(`${PATH}/spam`, { spam: 'yes' });
    let end: (() => void) | undefined;
    pages.helper.answers['security-test'] = () =>
      new Promise((_, reject) => {
        end = () => reject(new HelperError(AWAY));
      });
    const { _csrf = '' } = formFields((await get(`${PATH}/spam`)).text);
    const test = { _csrf, what: 'spam', testRecipient: '' };
    assert.equal((await post(`${PATH}/test`, test)).status, 303);
    const answer = await post(`${PATH}/test`, test);
    assert.equal(answer.status, 422);
    assert.match(textOf(answer.text), /A test is under way already/);
    assert.match(answer.text, new RegExp(`<a href="${PATH}/spam">Reload</a>`));
    end?.();
  });

  it('have the button asked for anew once they are over', async () => {
    await submit(`${PATH}/spam`, { spam: 'yes' });
    let end: (() => void) | undefined;
    pages.helper.answers['security-test'] = () =>
      new Promise((_, reject) => {
        end = () => reject(new HelperError(AWAY));
      });
    const { _csrf = '' } = formFields((await get(`${PATH}/spam`)).text);
    await post(`${PATH}/test`, { _csrf, what: 'spam', testRecipient: '' });
    const page = (await get(`${PATH}/spam`)).text;
    const [, event = ''] = /id="self-test-send"[^>]*hx-trigger="(\S+) from:body"/.exec(page) ?? [];
    assert.match(page, /<button name="what" value="spam" disabled/);
    assert.equal((await get(`${PATH}/test/spam`)).headers['hx-trigger'], undefined);
    end?.();
    await until(
      'its end',
      async () => (await get(`${PATH}/test/spam`)).headers['hx-trigger'] === event,
    );
    const { text } = await get(`${PATH}/spam`);
    assert.match(text, /<button name="what" value="spam">/);
    assert.match(textOf(text), /That could not be done\./);
    assert.doesNotMatch(textOf(text), /Nothing was saved/, 'there was nothing to save');
  });

  it('send no test to what is no address, and keep what was typed', async () => {
    await submit(`${PATH}/virus`, { virus: 'yes' });
    const { _csrf = '' } = formFields((await get(`${PATH}/virus`)).text);
    for (const testRecipient of ['a b', 'x@y.example\nRCPT TO:<z@w.example>', '-oQ@lab.test']) {
      const answer = await post(`${PATH}/test`, { _csrf, what: 'virus', testRecipient });
      assert.equal(answer.status, 422);
      assert.match(textOf(answer.text), /is no mail address.*anna@example\.com/);
    }
    assert.equal((await post(`${PATH}/test`, { _csrf, what: '../x' })).status, 404);
    assert.ok(!pages.helper.calls.some(({ action }) => action === 'security-test'));
    assert.doesNotMatch((await get(`${PATH}/spam`)).text, /name="testRecipient"/, 'it is off');
  });
});
