import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import request, { type Test } from 'supertest';
import { migrateMail } from '../../lib/database/mail-schema.js';
import { HelperError } from '../../lib/errors.js';
import { SECURITY_DEFAULTS, type SecuritySettings } from '../../lib/security/schema.js';
import type { PackagePlan, ScannerStatus, SelfTestResult } from '../../lib/security/service.js';
import { createDummyHost, type DummyHost } from '../support/dummy-host.js';
import { formFields, readForms, textOf } from '../support/forms.js';
import { openMemoryDatabase, type MemoryDatabase } from '../support/memory-database.js';
import {
  AWAY,
  recordingHelper,
  SCANNERS_OFF,
  type RecordingHelper,
} from '../support/recording-helper.js';
import { htmlProblems } from '../support/valid-html.js';
import { until } from '../support/wait.js';

const PATH = '/mail/security';
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

describe('the pages of Security', () => {
  let database: MemoryDatabase;
  let helper: RecordingHelper;
  let host: DummyHost;
  before(async () => {
    database = await openMemoryDatabase();
    await migrateMail(database.db);
  });
  after(() => database.close());
  beforeEach(async () => {
    await database.db('mail_changes').delete();
    await database.db('mail_settings').delete();
    helper = recordingHelper();
    host = createDummyHost({ db: database.db, helper });
  });

  const get = (path: string): Test => request(host.app).get(path);
  const post = (path: string, fields: Readonly<Record<string, string>>): Test =>
    request(host.app).post(path).type('form').send(fields);
  const submit = async (page: string, typed: Readonly<Record<string, string>>): Promise<Test> =>
    post(`${PATH}/${page}`, { ...formFields((await get(`${PATH}/${page}`)).text), ...typed });
  const repair = async (part: string): Promise<Test> => {
    const { _csrf = '' } = formFields((await get(`${PATH}/spam`)).text);
    return post(`${PATH}/repair`, { _csrf, part });
  };
  const chain = async (status: ScannerStatus): Promise<string> => {
    helper.answers['security-status'] = () => status;
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
    helper.answers['security-status'] = () => HEALTHY;
    helper.answers['security-repair'] = ({ parts }) => ({ done: parts, proof: [] });
    const answer = await repair('all');
    assert.equal(answer.status, 303);
    const page = await until('the end of it', async () => {
      const { text } = await get(PATH);
      return /The chain works/.test(text) ? textOf(text) : undefined;
    });
    assert.match(page, /5 things were put right/);
    const call = helper.calls.find(({ action }) => action === 'security-repair');
    assert.deepEqual(call?.params['parts'], ['policy', 'group', 'freshclam', 'clamav', 'amavis']);
  });

  it('fetch newer signatures and rules in the background, through the proxy of the host', async () => {
    const proxied = createDummyHost({
      ...{ db: database.db, helper },
      proxy: 'http://proxy.example:3128',
    });
    helper.answers['security-status'] = () => HEALTHY;
    helper.answers['security-update'] = ({ what }) => ({
      done: [what === 'rules' ? 'rulesCurrent' : 'signaturesCurrent'],
    });
    for (const [page, what, says] of [
      ['virus', 'signatures', /no newer virus signatures/],
      ['spam', 'rules', /no newer rules for spam/],
    ] as const) {
      const { text } = await request(proxied.app).get(`${PATH}/${page}`);
      const form = readForms(text).find(({ action }) => action === `${PATH}/update`);
      assert.deepEqual(form?.buttons[0]?.value, what);
      const typed = { ...Object.fromEntries(form?.fields ?? []), what };
      const answer = await request(proxied.app).post(`${PATH}/update`).type('form').send(typed);
      assert.equal(answer.status, 303);
      await until('the end of it', async () =>
        says.test(textOf((await request(proxied.app).get(PATH)).text)),
      );
    }
    const calls = helper.calls.filter(({ action }) => action === 'security-update');
    assert.deepEqual(
      calls.map(({ params }) => params),
      ['signatures', 'rules'].map((what) => ({ what, proxy: 'http://proxy.example:3128' })),
    );
  });

  it('say in words when nothing could be fetched', async () => {
    helper.answers['security-status'] = () => HEALTHY;
    helper.answers['security-update'] = () => {
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

  it('send a mail that has to be found, and say what became of it', async () => {
    await submit('spam', { spam: 'yes' });
    const ended: SelfTestResult = {
      ...{
        outcome: 'kept',
        recipient: 'anna@lab.test',
        reply: '250 discarded <b>',
        queueId: '4xA',
      },
      ...{ keptAs: 'spam-Abcdefghijk1', score: 999.8, milliseconds: 1_200 },
    };
    helper.answers['security-test'] = () => ended;
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
    const call = helper.calls.find(({ action }) => action === 'security-test');
    assert.deepEqual([call?.params['what'], call?.params['recipient']], ['spam', 'anna@lab.test']);
    assert.doesNotMatch((await get(`${PATH}/virus`)).text, /found and kept back/);
    assert.match((await get(`${PATH}/test/spam`)).text, /found and kept back/);
    helper.answers['security-test'] = () => ({ ...ended, outcome: 'passed', keptAs: '' });
    await post(`${PATH}/test`, test);
    await until('the bad news', async () =>
      /came through unmarked/.test((await get(`${PATH}/spam`)).text),
    );
  });

  it('lead back to the page of a test that is under way when a second one is refused', async () => {
    await submit('spam', { spam: 'yes' });
    let end: (() => void) | undefined;
    helper.answers['security-test'] = () =>
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

  it('send no test to what is no address, and keep what was typed', async () => {
    await submit('virus', { virus: 'yes' });
    const { _csrf = '' } = formFields((await get(`${PATH}/virus`)).text);
    for (const testRecipient of ['a b', 'x@y.example\nRCPT TO:<z@w.example>', '-oQ@lab.test']) {
      const answer = await post(`${PATH}/test`, { _csrf, what: 'virus', testRecipient });
      assert.equal(answer.status, 422);
      assert.match(textOf(answer.text), /is no mail address.*anna@example\.com/);
    }
    assert.equal((await post(`${PATH}/test`, { _csrf, what: '../x' })).status, 404);
    assert.ok(!helper.calls.some(({ action }) => action === 'security-test'));
    assert.doesNotMatch((await get(`${PATH}/spam`)).text, /name="testRecipient"/, 'it is off');
  });

  it('install what is missing only after it was shown, with sizes and memory, and on yes', async () => {
    helper.answers['security-status'] = () => ({
      ...SCANNERS_OFF,
      clamav: { ...SCANNERS_OFF.clamav, installed: false },
      freshclam: { ...SCANNERS_OFF.freshclam, installed: false },
    });
    const mib = 1024 * 1024;
    const plan: PackagePlan = {
      packages: [
        { name: 'clamav-daemon', version: '1.4', download: mib, installed: 3 * mib },
        { name: 'libclamav12', version: '1.4', download: 2 * mib, installed: 5 * mib },
      ],
      memory: { total: 1024 * mib, available: 300 * mib },
      lab: false,
    };
    helper.answers['packages-plan'] = () => plan;
    helper.answers['packages-install'] = () => ({ installed: ['clamav-daemon', 'libclamav12'] });
    assert.doesNotMatch(textOf((await get(`${PATH}/spam`)).text), /missing/);
    const form = await get(`${PATH}/virus`);
    assert.match(textOf(form.text), /these packages have to be there: clamav-daemon/);
    const { _csrf = '' } = formFields(form.text);
    const packages = 'clamav-daemon clamav-freshclam';
    assert.ok(form.text.includes(`value="${packages}"`));
    const page = await post(`${PATH}/packages`, { _csrf, packages });
    assert.equal(page.status, 200);
    assert.deepEqual(await htmlProblems(page.text), []);
    assert.match(textOf(page.text), /2 packages would be installed: .*3.*MB to fetch, .*8.*MB/);
    assert.match(textOf(page.text), /of which .* are free\. That is not enough\./);
    assert.ok(!helper.calls.some(({ action }) => action === 'packages-install'));
    const answer = await post(`${PATH}/packages/install`, { _csrf, packages });
    assert.equal(answer.headers['location'], PATH);
    await until('the end of it', async () =>
      /2 packages were installed/.test(textOf((await get(PATH)).text)),
    );
    const call = helper.calls.find(({ action }) => action === 'packages-install');
    assert.deepEqual(call?.params['names'], ['clamav-daemon', 'clamav-freshclam']);
    helper.answers['packages-plan'] = () => ({ ...plan, packages: [], lab: true });
    const lab = textOf((await post(`${PATH}/packages`, { _csrf, packages })).text);
    assert.match(lab, /This is a lab/);
    assert.match(lab, /installed already/);
  });

  it('install nothing that is no package of the list, and say it when apt knows no way', async () => {
    const { _csrf = '' } = formFields((await get(`${PATH}/virus`)).text);
    for (const packages of ['', 'bash', 'clamav-daemon bash', '-o', 'pax\nbash', '../pax']) {
      assert.equal((await post(`${PATH}/packages`, { _csrf, packages })).status, 404, packages);
      assert.equal((await post(`${PATH}/packages/install`, { _csrf, packages })).status, 404);
    }
    helper.answers['packages-plan'] = () => {
      const key = 'helper.packages.plan';
      throw new HelperError({ stage: 'run', key, values: {}, detail: 'E: <pax>', restored: true });
    };
    const page = await post(`${PATH}/packages`, { _csrf, packages: 'pax' });
    assert.equal(page.status, 502);
    assert.match(textOf(page.text), /apt knows no way/);
    assert.ok(page.text.includes('E: &lt;pax&gt;'));
  });

  it('warn before virus protection is switched on where memory is too little for it', async () => {
    const gib = 1024 ** 3;
    const says = async (available: number, running: boolean): Promise<boolean> => {
      helper.answers['security-status'] = () => ({
        ...SCANNERS_OFF,
        memory: { total: 4 * gib, available },
        clamav: { ...SCANNERS_OFF.clamav, running },
      });
      return /too little memory for ClamAV/.test(textOf((await get(`${PATH}/virus`)).text));
    };
    assert.equal(await says(gib, false), true);
    assert.equal(await says(2 * gib, false), false);
    assert.equal(await says(gib, true), false, 'it has what it needs');
  });

  it('refuse what is no part of the chain', async () => {
    const answer = await repair('postfix; id');
    assert.equal(answer.status, 422);
    assert.ok(!helper.calls.some(({ action }) => action === 'security-repair'));
  });

  it('save what each form has, and leave the other’s settings alone', async () => {
    await submit('virus', { virus: 'yes', whileDown: 'pass', largestObjectMb: '50' });
    await submit('spam', { spam: 'yes', markLevel: '5,5', keepLevel: '12', subjectTag: '[SPAM]' });
    const settings = helper.applied.at(-1)?.sections['security'] as SecuritySettings;
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
      const answer = await submit(page, { [field]: value });
      assert.equal(answer.status, 422);
      assert.match(textOf(answer.text), says);
      assert.equal(helper.applied.length, 0);
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
      const answer = await submit(page, { [field]: value });
      assert.equal(answer.status, 422, field);
    }
    assert.equal(helper.applied.length, 0);
  });

  it('say that the helper is away', async () => {
    helper.failure = AWAY;
    for (const path of [PATH, `${PATH}/spam`, `${PATH}/virus`]) {
      const answer = await get(path);
      assert.equal(answer.status, 200, path);
      assert.match(textOf(answer.text), /helper/i, path);
    }
  });
});
