/**
 * A save of one setting from end to end, from the form's POST to the answer, beside what Postfix' own tools need at least:
 * `postconf`, `postfix check`, `postfix reload`. Both in turns in the same lab. Then the server's time for every page of the
 * menu. `node dist/bench/save.js [rounds]`, as root.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { readManifest } from '../lib/manifest.js';
import type { ConsoleClient } from '../test/support/console-client.js';
import { startLab, type Lab } from '../test/support/lab.js';
import { inWords, median, timed } from './measure.js';

const DEFAULT_ROUNDS = 15;
const PAGE_ROUNDS = 10;
const PAGE = '/mail/configuration/base';

const run = promisify(execFile);
const rounds = Number(process.argv[2] ?? DEFAULT_ROUNDS);
const lab = await startLab();
try {
  const browser = await lab.signIn();
  // The first save of all adds the probe listener to master.cf; those after it change main.cf alone.
  await prepareSave(browser, 'mx0.example').then((save) => save());
  const native: number[] = [];
  const saves: number[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    native.push(await timed(() => nativeMinimum(lab)));
    saves.push(await timed(await prepareSave(browser, `mx${round}.example`)));
    await expectName(lab, `mx${round}.example`);
  }
  const ratio = median(saves) / median(native);
  console.log(`native minimum  ${inWords(native)}`);
  console.log(`a save          ${inWords(saves)}`);
  console.log(`ratio           ${ratio.toFixed(2)} (goal: at most 1.5), ${rounds} rounds`);
  for (const path of pages()) {
    const times: number[] = [];
    for (let round = 0; round <= PAGE_ROUNDS; round += 1) {
      const ms = await timed(() => look(browser, path));
      if (round > 0) times.push(ms);
    }
    console.log(`GET ${path.padEnd(36)} ${inWords(times)}`);
  }
} finally {
  await lab.stop();
}

async function nativeMinimum({ configDir }: Lab): Promise<void> {
  await run('/usr/sbin/postconf', ['-c', configDir, '-n']);
  await run('/usr/sbin/postfix', ['-c', configDir, 'check']);
  await run('/usr/sbin/postfix', ['-c', configDir, 'reload']);
}

/** Opens the form and fills it in; what is returned sends it and waits for the answer. */
async function prepareSave(browser: ConsoleClient, name: string): Promise<() => Promise<void>> {
  const page = await browser.get(PAGE);
  const form = page.forms.find(({ names }) => names.includes('mailServerName'));
  if (!form) throw new Error(`${PAGE}: ${page.status} ${page.text}`);
  const fields = new URLSearchParams();
  for (const [field, value] of form.fields) fields.append(field, value);
  fields.set('mailServerName', name);
  fields.set('intent', 'save');
  return async () => {
    const answer = await browser.request('POST', PAGE, fields);
    const body = await answer.text();
    if (answer.status !== 303) throw new Error(`${answer.status} ${body}`);
  };
}

async function expectName(there: Lab, name: string): Promise<void> {
  const found = await there.postconf('myhostname');
  if (found !== name) throw new Error(`saved ${name}, and Postfix has ${found}`);
}

function pages(): readonly string[] {
  const { menu, mount } = readManifest();
  const paths = menu.flatMap(({ path, tabs = [] }) => [path, ...tabs.map((tab) => tab.path)]);
  return [...new Set(paths)].map((path) => mount + path);
}

async function look(browser: ConsoleClient, path: string): Promise<void> {
  const answer = await browser.request('GET', path);
  await answer.text();
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status}`);
}
