import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Test } from 'supertest';
import { NO_POLICY, type PolicySettings } from '../../lib/policy/schema.js';
import { pluginPages } from '../support/plugin-pages.js';
import { formFields, textOf } from '../support/forms.js';
import { AWAY, POLICY_STATUS, refusedAt } from '../support/recording-helper.js';

const PATH = '/mail/security/policy';
const HOSTILE = '"><script>alert(1)</script>';

describe('the page for strangers', () => {
  const pages = pluginPages({ tables: ['changes', 'settings'] });

  const get = (path = PATH): Test => pages.get(path);
  const post = (fields: Record<string, string>): Test => pages.post(PATH, fields);
  const shown = async (): Promise<Record<string, string>> =>
    formFields((await get().expect(200)).text);
  const applied = (): PolicySettings =>
    pages.helper.applied.at(-1)?.sections['policy'] as PolicySettings;
  const save = async (change: Record<string, string>): Promise<void> => {
    const answer = await post({ ...(await shown()), ...change, intent: 'save' });
    assert.equal(answer.status, 303, textOf(answer.text));
  };

  it('offers block lists, and has none of them on', async () => {
    const words = textOf((await get()).text);
    assert.match(words, /Mail from strangers is taken without asking any further/);
    const fields = await shown();
    assert.equal(fields['list0Zone'], 'zen.spamhaus.org');
    assert.ok(
      Object.entries(fields).every(([name, value]) => !/Use$/.test(name) || value === 'no'),
    );
  });

  it('saves what was chosen, and an unchanged form is no change', async () => {
    await save({ greylisting: 'yes', greylistDelay: '120', list0Use: 'yes', connections: '20' });
    assert.deepEqual(applied(), {
      ...NO_POLICY,
      ...{ greylisting: true, greylistDelay: 120, connections: 20 },
      blockLists: [{ zone: 'zen.spamhaus.org', weight: 2, enabled: true }],
    });
    const before = pages.helper.applied.length;
    await save({});
    assert.equal(pages.helper.applied.length, before);
    assert.match(textOf((await get('/mail/history')).text), /Checks of strangers/);
  });

  it('names everything that is wrong, keeps what was typed, and saves nothing', async () => {
    const typed = { greylistDelay: 'abc', list4Zone: HOSTILE, list4Use: 'yes', messageRate: '0' };
    const answer = await post({ ...(await shown()), ...typed, intent: 'save' });
    assert.equal(answer.status, 422);
    const words = textOf(answer.text);
    assert.match(words, /“abc” is no whole number from 5 to 7200, such as 300/);
    assert.match(words, /a list is named by a domain, such as zen\.spamhaus\.org/);
    assert.match(words, /“0” is no whole number from 1 to 100000/);
    assert.doesNotMatch(answer.text, /<script>alert/);
    const again = formFields(answer.text);
    for (const [name, value] of Object.entries(typed)) assert.equal(again[name], value);
    assert.equal(pages.helper.applied.length, 0);
  });

  it('shows both versions when somebody else saved meanwhile', async () => {
    const stale = await shown();
    await save({ greylisting: 'yes' });
    const answer = await post({ ...stale, list0Use: 'yes', intent: 'save' });
    assert.equal(answer.status, 409);
    assert.match(textOf(answer.text), /zen\.spamhaus\.org \(2\)/);
  });

  it('says at the switch that its package is missing, as the helper does', async () => {
    pages.helper.refusal = {
      ...refusedAt('validate', 'policy.problem.greylisting.package'),
      values: { section: 'policy', field: 'greylisting' },
    };
    const answer = await post({ ...(await shown()), greylisting: 'yes', intent: 'save' });
    assert.equal(answer.status, 422);
    assert.match(textOf(answer.text), /The package postgrey is not installed/);
  });

  it('tells of a list that is left out, and of a server that is down, here and on the overview', async () => {
    await save({ greylisting: 'yes', list0Use: 'yes' });
    pages.helper.answers['policy-status'] = () => ({
      ...POLICY_STATUS,
      servers: [{ name: 'postgrey', answers: false }],
      lists: [{ zone: 'zen.spamhaus.org', state: 'listsAll', ipv6: false, checkedAt: Date.now() }],
    });
    const words = textOf((await get()).text);
    assert.match(words, /Left out: it lists everybody/);
    assert.match(words, /Greylisting does not answer/);
    const overview = textOf((await get('/mail')).text);
    assert.match(overview, /The block list zen\.spamhaus\.org lists everybody/);
    assert.match(overview, /Greylisting does not answer/);
  });

  it('shows what Postfix goes through, what others have set up included', async () => {
    pages.helper.answers['policy-status'] = () => ({
      ...POLICY_STATUS,
      restrictions: {
        ...POLICY_STATUS.restrictions,
        lists: { smtpd_client_restrictions: `reject_rbl_client ${HOSTILE}` },
      },
    });
    const { text } = await get();
    assert.match(textOf(text), /Ask a block list without weights.*Not from here/);
    assert.doesNotMatch(text, /<script>alert/);
  });

  it('says that the helper is away, and saves nothing', async () => {
    const fields = await shown();
    pages.helper.failure = AWAY;
    const answer = await post({ ...fields, greylisting: 'yes', intent: 'save' });
    assert.equal(answer.status, 502);
    assert.equal(formFields(answer.text)['greylisting'], 'yes');
  });
});
