import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { PostconfAnswers } from '../../lib/privileged/postfix/config-view.js';
import { inputsOfPostconf, recallPostconf } from '../../lib/privileged/postfix/remembered.js';

/** Long after anything a test writes. */
const LATER = Date.now() + 3_600_000;

describe('what postconf said of the configuration', () => {
  let configDir = '';
  let stateDir = '';
  beforeEach(() => {
    configDir = mkdtempSync(join(tmpdir(), 'mailserver-remembered-'));
    stateDir = join(configDir, 'state');
    mkdirSync(stateDir, { mode: 0o700 });
    writeFileSync(join(configDir, 'main.cf'), 'myhostname = one.example\n');
    writeFileSync(join(configDir, 'master.cf'), 'smtp inet n - n - - smtpd\n');
  });
  afterEach(() => rmSync(configDir, { recursive: true }));

  const ask = async (now?: number): Promise<PostconfAnswers> => {
    const inputs = inputsOfPostconf({ configDir }, now);
    const { answers, keep } = await recallPostconf(configDir, inputs, { stateDir });
    await keep();
    return answers;
  };
  const memory = (): string => join(stateDir, 'postconf.json');

  it('is not asked for again while nothing it follows from has changed', async () => {
    const { all, set, master } = await ask(LATER);
    assert.match(all, /^myorigin = /m);
    assert.match(set, /^myhostname = one\.example$/m);
    assert.match(master, /^smtp +inet/m);
    writeFileSync(memory(), readFileSync(memory(), 'utf8').replaceAll('one.example', 'known'));
    assert.match((await ask(LATER)).set, /^myhostname = known$/m);
  });

  it('names the folder that is looked at now, not the one it was asked about', async () => {
    await ask(LATER);
    const inputs = inputsOfPostconf({ configDir }, LATER);
    const copy = mkdtempSync(join(tmpdir(), 'mailserver-remembered-'));
    const { answers } = await recallPostconf(copy, inputs, { stateDir });
    rmSync(copy, { recursive: true });
    assert.match(answers.all, new RegExp(`^config_directory = ${copy}$`, 'm'));
  });

  it('is asked for again after an edit of the same length with the old time put back', async () => {
    await ask(LATER);
    const file = join(configDir, 'main.cf');
    writeFileSync(file, 'myhostname = two.example\n');
    utimesSync(file, 1, 1);
    assert.match((await ask(LATER)).set, /two\.example/);
  });

  it('is asked for again by another release, which may ask for more', () => {
    const inputs = (program: string) => inputsOfPostconf({ configDir }, LATER, program);
    assert.equal(inputs('this one'), inputs('this one'));
    assert.notEqual(inputs('this one'), inputs('another'));
  });

  it('is not kept for a mere look', async () => {
    const inputs = inputsOfPostconf({ configDir }, LATER);
    await recallPostconf(configDir, inputs, { stateDir });
    assert.throws(() => readFileSync(memory()), { code: 'ENOENT' });
  });

  it('is neither kept nor believed just after something changed', async () => {
    assert.equal(inputsOfPostconf({ configDir }), null);
    await ask();
    assert.throws(() => readFileSync(memory()), { code: 'ENOENT' });
  });

  it('is asked for again where only half of it was kept', async () => {
    await ask(LATER);
    writeFileSync(memory(), readFileSync(memory(), 'utf8').slice(0, 100));
    assert.match((await ask(LATER)).set, /one\.example/);
  });
});
