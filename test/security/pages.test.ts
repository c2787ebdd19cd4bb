import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Response } from 'supertest';
import { HelperError } from '../../lib/errors.js';
import { SECURITY_DEFAULTS, type SecuritySettings } from '../../lib/security/schema.js';
import type { ScannerStatus } from '../../lib/security/service.js';
import { formFields, readForms, textOf } from '../support/forms.js';
import { AWAY, SCANNERS_OFF } from '../support/recording-helper.js';
import { pluginPages } from '../support/plugin-pages.js';
import { until } from '../support/wait.js';

const ON: SecuritySettings = { ...SECURITY_DEFAULTS, spam: true, virus: true };
const HEALTHY: ScannerStatus = {
  settings: ON,
  memory: null,
  policy: [],
  spamassassin: { installed: true, rules: null, hasRules: true },
  clamav: {
    ...{ installed: true, running: true, atBoot: true, answers: true, member: true },
    signatures: { version: 27_500, at: new Date().toISOString() },
  },
  freshclam: { installed: true, running: true, atBoot: true },
  amavis: { installed: true, running: true, atBoot: true, answers: true, pax: true },
  postfix: { hands: true, elsewhere: false, takesBack: true },
};

const PATH = '/mail/security';

describe('the pages of Security', () => {
  const pages = pluginPages({ tables: ['changes', 'settings'] });
  const { get, post, submit } = pages;
  const repair = async (part: string): Promise<Response> => {
    const { _csrf = '' } = formFields((await get(`${PATH}/spam`)).text);
    return post(`${PATH}/repair`, { _csrf, part });
  };
  const chain = async (status: ScannerStatus): Promise<string> => {
    pages.helper.answers['security-status'] = () => status;
    return textOf((await get(PATH)).text);
  };

  it('say that nothing is scanned while all is off, and that nothing is broken', async () => {
    const text = await chain(SCANNERS_OFF);
    assert.match(text, /Mail is not scanned/);
    assert.doesNotMatch(text, /Gap/);
  });

  it('say that all mail is scanned, and of when the signatures are', async () => {
    const text = await chain(HEALTHY);
    assert.match(text, /All mail is scanned for spam and viruses/);
    assert.match(text, /number 27500/);
    assert.doesNotMatch(text, /Gap/);
  });

  const gaps: readonly (readonly [string, Partial<ScannerStatus>, RegExp, string | null])[] = [
    [
      'a scanner that is down',
      { clamav: { ...HEALTHY.clamav, running: false, answers: false } },
      /ClamAV does not answer/,
      'clamav',
    ],
    [
      'a scanner without the group',
      { clamav: { ...HEALTHY.clamav, member: false } },
      /may not read what amavis takes apart/,
      'group',
    ],
    [
      'signatures of last month',
      {
        clamav: {
          ...HEALTHY.clamav,
          signatures: { version: 1, at: new Date(Date.now() - 30 * 86_400_000).toISOString() },
        },
      },
      /signatures are 30 days old/,
      null,
    ],
    [
      'no signatures at all',
      { clamav: { ...HEALTHY.clamav, signatures: null } },
      /no virus signatures/,
      null,
    ],
    [
      'amavis that is down',
      { amavis: { ...HEALTHY.amavis, running: false, answers: false } },
      /amavis does not answer/,
      'amavis',
    ],
    ['a missing pax', { amavis: { ...HEALTHY.amavis, pax: false } }, /pax is missing/, null],
    [
      'a filter taken out by hand',
      { postfix: { ...HEALTHY.postfix, hands: false } },
      /does not hand mail to amavis/,
      null,
    ],
  ];
  for (const [name, broken, says, button] of gaps) {
    it(`tell ${name}, on the overview too, and have a button for what can be put right`, async () => {
      const status = { ...HEALTHY, ...broken };
      const text = await chain(status);
      assert.match(text, /chain is broken/);
      assert.match(text, says);
      const { text: html } = await get(PATH);
      assert.equal(html.includes('value="all"'), button !== null);
      if (button !== null) assert.ok(html.includes(`name="part" value="${button}"`));
      assert.match(textOf((await get('/mail/')).text), /chain of the scanners is broken/);
    });
  }

  it('tell what is asked about strangers, also while nothing is scanned', async () => {
    const row = {
      ...{ wanted: true, installed: true, running: true, atBoot: true, answers: true, used: true },
      dead: [],
    };
    const policy: ScannerStatus['policy'] = [
      { ...row, part: 'postgrey', running: false, answers: false },
      { ...row, part: 'spf', running: null, atBoot: null },
      { ...row, part: 'blockLists', dead: ['dead.example'] },
    ];
    const text = await chain({ ...SCANNERS_OFF, policy });
    assert.match(text, /not everything that is asked about strangers works/);
    assert.match(text, /Greylisting does not answer/);
    assert.match(text, /answer wrongly, or not at all: dead\.example/);
    assert.ok((await get(PATH)).text.includes('name="part" value="policy"'));
    const overview = textOf((await get('/mail/')).text);
    assert.doesNotMatch(
      overview,
      /chain of the scanners/,
      'the policy server has a sentence of its own there',
    );
    const asked = await chain({
      ...HEALTHY,
      policy: policy.map((one) => ({ ...one, running: true, answers: true, dead: [] })),
    });
    assert.doesNotMatch(asked, /Gap/);
  });

  it('put everything right in the background, and say how it ended', async () => {
    pages.helper.answers['security-status'] = () => HEALTHY;
    pages.helper.answers['security-repair'] = ({ parts }) => ({ done: parts, proof: [] });
    const answer = await repair('all');
    assert.equal(answer.status, 303);
    const page = await until('the end of it', async () => {
      const { text } = await get(PATH);
      return /The chain works/.test(text) ? textOf(text) : undefined;
    });
    assert.match(page, /5 things were put right/);
    const call = pages.helper.calls.find(({ action }) => action === 'security-repair');
    assert.deepEqual(call?.params['parts'], ['policy', 'group', 'freshclam', 'clamav', 'amavis']);
  });

  it('fetch newer signatures and rules in the background, through the proxy of the host', async () => {
    await pages.restart({ proxy: 'http://proxy.example:3128' });
    pages.helper.answers['security-status'] = () => HEALTHY;
    pages.helper.answers['security-update'] = ({ what }) => ({
      done: [what === 'rules' ? 'rulesCurrent' : 'signaturesCurrent'],
    });
    for (const [page, what, says] of [
      ['virus', 'signatures', /no newer virus signatures/],
      ['spam', 'rules', /no newer rules for spam/],
    ] as const) {
      const { text } = await get(`${PATH}/${page}`);
      const form = readForms(text).find(({ action }) => action === `${PATH}/update`);
      assert.deepEqual(form?.buttons[0]?.value, what);
      const typed = { ...Object.fromEntries(form?.fields ?? []), what };
      const answer = await post(`${PATH}/update`, typed);
      assert.equal(answer.status, 303);
      await until('the end of it', async () => says.test(textOf((await get(PATH)).text)));
    }
    const calls = pages.helper.calls.filter(({ action }) => action === 'security-update');
    assert.deepEqual(
      calls.map(({ params }) => params),
      ['signatures', 'rules'].map((what) => ({ what, proxy: 'http://proxy.example:3128' })),
    );
  });

  it('say in words when nothing could be fetched', async () => {
    pages.helper.answers['security-status'] = () => HEALTHY;
    pages.helper.answers['security-update'] = () => {
      const key = 'helper.security.update';
      const values = { service: 'freshclam' };
      throw new HelperError({ stage: 'run', key, values, detail: "Can't connect", restored: true });
    };
    const { _csrf = '' } = formFields((await get(`${PATH}/spam`)).text);
    assert.equal((await post(`${PATH}/update`, { _csrf, what: 'signatures' })).status, 303);
    const page = await until('the end of it', async () => {
      const text = textOf((await get(PATH)).text);
      return /freshclam fetched nothing/.test(text) ? text : undefined;
    });
    assert.match(page, /Can't connect/);
    assert.equal((await post(`${PATH}/update`, { _csrf, what: 'a\nb' })).status, 422);
  });

  it('refuse what is no part of the chain', async () => {
    const answer = await repair('postfix; id');
    assert.equal(answer.status, 422);
    assert.ok(!pages.helper.calls.some(({ action }) => action === 'security-repair'));
  });

  it('save what each form has, and leave the other’s settings alone', async () => {
    await submit(`${PATH}/virus`, { virus: 'yes', whileDown: 'pass', largestObjectMb: '50' });
    await submit(`${PATH}/spam`, {
      spam: 'yes',
      markLevel: '5,5',
      keepLevel: '12',
      subjectTag: '[SPAM]',
    });
    const settings = pages.helper.applied.at(-1)?.sections['security'] as SecuritySettings;
    assert.deepEqual(settings, {
      ...SECURITY_DEFAULTS,
      ...{ spam: true, markLevel: 5.5, keepLevel: 12, subjectTag: '[SPAM]' },
      ...{ virus: true, whileDown: 'pass', largestObjectMb: 50 },
    });
  });

  const wrong: readonly (readonly [string, string, string, RegExp])[] = [
    ['spam', 'markLevel', '1', /below the level for the header.*Example: 6\.3/],
    ['spam', 'keepLevel', '3', /below the level for marking.*Example: 12/],
    ['spam', 'tagLevel', 'many', /no number of points.*Example: 2/],
    ['spam', 'markLevel', '', /Enter a number of points/],
    ['spam', 'subjectTag', `'; system("id"); '`, /cannot be used here.*Example/],
    ['spam', 'subjectTag', 'a$ENV', /cannot be used here/],
    ['spam', 'trustedServers', '0.0.0.0/0', /no address or network/],
    ['spam', 'trustedServers', '192.0.2.1 loadplugin', /no address or network/],
    ['virus', 'largestObjectMb', '0', /no whole number/],
    ['virus', 'alertAddress', `x@'y.example`, /no mail address.*Example/],
    ['virus', 'alertAddress', 'x@@y', /no mail address/],
    ['virus', 'place', 'nowhere', /.+/],
  ];
  for (const [page, field, value, says] of wrong) {
    it(`refuse “${value}” as ${field}, with what is right and everything typed kept`, async () => {
      const answer = await submit(`${PATH}/${page}`, { [field]: value });
      assert.equal(answer.status, 422);
      assert.match(textOf(answer.text), says);
      assert.equal(pages.helper.applied.length, 0);
      if (field !== 'place') assert.equal(formFields(answer.text)[field], value);
    });
  }

  it('refuse a line more than one', async () => {
    const value = `x\nloadplugin Evil /tmp/evil.pm`;
    for (const [page, field] of [
      ['spam', 'subjectTag'],
      ['spam', 'trustedServers'],
      ['virus', 'alertAddress'],
    ] as const) {
      const answer = await submit(`${PATH}/${page}`, { [field]: value });
      assert.equal(answer.status, 422, field);
    }
    assert.equal(pages.helper.applied.length, 0);
  });

  it('say that the helper is away', async () => {
    pages.helper.failure = AWAY;
    for (const path of [PATH, `${PATH}/spam`, `${PATH}/virus`]) {
      const answer = await get(path);
      assert.equal(answer.status, 200, path);
      assert.match(textOf(answer.text), /helper/i, path);
    }
  });
});
