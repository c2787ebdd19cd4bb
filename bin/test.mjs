// Runs the tests with node:test. What runs is decided by the file name:
//   *.test.ts            quick: no root, no daemon, no browser (`--quick` runs only these; `npm run check` does)
//   *.lab.test.ts        a real Postfix, PostgreSQL or browser on this machine, in private folders
//   *.appliance.test.ts  a whole Debian with systemd in a container; `--appliance` runs only these, for the other release
// Further arguments choose files by a part of their path: `npm test -- base domains`.
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Labs mostly wait for their daemons: with three files at once two processors are busy, with two they idle for a third of the time. */
const FILES_AT_ONCE = 3;

/** Something hangs when all of it takes longer than this, in minutes. */
const LIMIT_MINUTES = 80;

const home = dirname(dirname(fileURLToPath(import.meta.url)));
const options = process.argv.slice(2).filter((argument) => argument.startsWith('--'));
const parts = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const unknown = options.find((option) => !['--quick', '--appliance'].includes(option));
if (unknown) stop(`unknown option ${unknown}`);
const quick = options.includes('--quick');
const appliance = options.includes('--appliance');

const setUp = quick
  ? [join(home, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.json']
  : [join(home, 'bin/set-up.mjs'), 'test'];
const ready = spawnSync(process.execPath, setUp, { cwd: home, stdio: ['ignore', 2, 2] });
if (ready.status !== 0) stop('the set-up failed, nothing was tested');

const files = testFiles(join(home, 'test'))
  .filter((file) => !quick || kind(file) === 'quick')
  .filter((file) => !appliance || kind(file) === 'appliance')
  .filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)))
  // The longest first, so that the machine is not idle at the end.
  .sort((a, b) => weight(b) - weight(a) || (a < b ? -1 : 1))
  .map((file) => file.replace(/\.ts$/, '.js'))
  .map((file) => join('dist', file));
if (files.length === 0) stop('no test file matches');

const runner = spawn(
  process.execPath,
  [
    '--enable-source-maps',
    ...['--import', new URL('../dist/test/support/bare-machine.js', import.meta.url).href],
    '--test',
    '--test-reporter=spec',
    `--test-concurrency=${FILES_AT_ONCE}`,
    ...files,
  ],
  {
    cwd: home,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...(appliance ? { MAILSERVER_TEST_RELEASE: 'other' } : {}) },
  },
);
setTimeout(() => {
  process.stderr.write(
    `mailserver: the tests take longer than ${LIMIT_MINUTES} minutes, giving up\n`,
  );
  runner.kill('SIGTERM');
}, LIMIT_MINUTES * 60_000).unref();
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => runner.kill(signal));
runner.on('close', (code) => process.exit(code ?? 1));

function testFiles(folder, prefix = 'test') {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory()
      ? testFiles(join(folder, entry.name), join(prefix, entry.name))
      : entry.name.endsWith('.test.ts')
        ? [join(prefix, entry.name)]
        : [],
  );
}

function kind(file) {
  return /\.(lab|appliance)\.test\.ts$/.exec(file)?.[1] ?? 'quick';
}

function weight(file) {
  return { quick: 0, lab: 1, appliance: 2 }[kind(file)];
}

function stop(why) {
  process.stderr.write(`mailserver: ${why}\n`);
  process.exit(1);
}
