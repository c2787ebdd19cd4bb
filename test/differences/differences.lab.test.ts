import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { ConsoleClient } from '../support/console-client.js';
import { textOf } from '../support/forms.js';
import { startLab, type Lab } from '../support/lab.js';

const BASE = '/mail/configuration/base';
const DIFFERENCES = '/mail/differences';

describe('a hand edit of what the pages look after', () => {
  let lab: Lab;
  let browser: ConsoleClient;
  before(async () => {
    lab = await startLab();
    browser = await lab.signIn();
  });
  after(() => lab.stop());

  const saveName = (mailServerName: string) =>
    browser.submit(BASE, { mailServerName }, { action: BASE, button: 'intent=save' });
  const editByHand = (name: string): void => {
    execFileSync('/usr/sbin/postconf', ['-c', lab.configDir, '-e', `myhostname=${name}`]);
  };
  const shown = async (): Promise<string> => textOf((await browser.get(DIFFERENCES)).html);
  const decide = async (decision: string) => {
    const { html } = await browser.get(DIFFERENCES);
    const edit = /name="edit" value="([^"]+)"/.exec(html)?.[1] ?? '';
    return browser.submit(
      DIFFERENCES,
      { edit },
      { action: DIFFERENCES, button: `intent=${decision}` },
    );
  };

  beforeEach(async () => {
    await saveName('ours.lab.example');
    editByHand('theirs.lab.example');
  });

  it('is shown with both values, and a save does not run over it', async () => {
    assert.match(await shown(), /myhostname.*ours\.lab\.example.*theirs\.lab\.example/);
    const refused = await saveName('next.lab.example');
    assert.equal(refused.status, 502);
    assert.equal(await lab.postconf('myhostname'), 'theirs.lab.example');
    await decide('overwrite');
  });

  it('is overwritten when somebody says so', async () => {
    await decide('overwrite');
    assert.equal(await lab.postconf('myhostname'), 'ours.lab.example');
    assert.doesNotMatch(await shown(), /myhostname/);
  });

  it('becomes a setting when somebody says so', async () => {
    await decide('take');
    assert.equal(await lab.postconf('myhostname'), 'theirs.lab.example');
    assert.match((await browser.get(BASE)).html, /value="theirs\.lab\.example"/);
    assert.doesNotMatch(await shown(), /myhostname/);
  });

  it('stays and is not mentioned again when somebody says so, until the setting is changed here', async () => {
    await decide('keep');
    assert.equal(await lab.postconf('myhostname'), 'theirs.lab.example');
    assert.doesNotMatch(await shown(), /myhostname/);
    await saveName('later.lab.example');
    assert.equal(await lab.postconf('myhostname'), 'later.lab.example');
  });

  it('is not decided about when it was edited once more meanwhile', async () => {
    const { html } = await browser.get(DIFFERENCES);
    const edit = /name="edit" value="([^"]+)"/.exec(html)?.[1] ?? '';
    const page = await browser.get(DIFFERENCES);
    editByHand('again.lab.example');
    const answer = await browser.send(
      page,
      { edit },
      { action: DIFFERENCES, button: 'intent=overwrite' },
    );
    assert.equal(answer.status, 422);
    assert.equal(await lab.postconf('myhostname'), 'again.lab.example');
    await decide('overwrite');
  });
});
