/** Packages that are missing: shown first, installed on yes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HelperError } from '../../lib/errors.js';
import { SECURITY_DEFAULTS } from '../../lib/security/schema.js';
import type { PackagePlan } from '../../lib/security/service.js';
import { formFields, textOf } from '../support/forms.js';
import { SCANNERS_OFF } from '../support/recording-helper.js';
import { pluginPages } from '../support/plugin-pages.js';
import { htmlProblems } from '../support/valid-html.js';
import { until } from '../support/wait.js';

const PATH = '/mail/security';

describe('the packages of Security', () => {
  const pages = pluginPages({ tables: ['changes', 'settings'] });
  const { get, post } = pages;

  it('install what is missing only after it was shown, with sizes and memory, and on yes', async () => {
    pages.helper.answers['security-status'] = () => ({
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
    pages.helper.answers['packages-plan'] = () => plan;
    pages.helper.answers['packages-install'] = () => ({
      installed: ['clamav-daemon', 'libclamav12'],
    });
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
    assert.ok(!pages.helper.calls.some(({ action }) => action === 'packages-install'));
    const answer = await post(`${PATH}/packages/install`, { _csrf, packages });
    assert.equal(answer.headers['location'], PATH);
    await until('the end of it', async () =>
      /2 packages were installed/.test(textOf((await get(PATH)).text)),
    );
    const call = pages.helper.calls.find(({ action }) => action === 'packages-install');
    assert.deepEqual(call?.params['names'], ['clamav-daemon', 'clamav-freshclam']);
    assert.match(textOf((await get(PATH)).text), /Now it can be switched on/);
    const virus = { ...SECURITY_DEFAULTS, virus: true };
    pages.helper.answers['security-status'] = () => ({ ...SCANNERS_OFF, settings: virus });
    for (const path of [PATH, `${PATH}/task`])
      assert.match(textOf((await get(path)).text), /is switched on already/);
    pages.helper.answers['packages-plan'] = () => ({ ...plan, packages: [], lab: true });
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
    pages.helper.answers['packages-plan'] = () => {
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
      pages.helper.answers['security-status'] = () => ({
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
});
