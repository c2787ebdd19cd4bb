// Installs what is missing and builds: `node bin/set-up.mjs run|test|build`, the last one without Debian packages. Plain JavaScript, because it runs before anything is built.
// What is there already is found without a network; a second run takes about a second.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const home = dirname(dirname(fileURLToPath(import.meta.url)));
const purpose = process.argv[2];
if (!['run', 'test', 'build'].includes(purpose)) fail('usage: node bin/set-up.mjs run|test|build');

installNodePackages();
if (purpose !== 'build') installDebianPackages();
build();

function installNodePackages() {
  if (nodePackagesAreThere()) return;
  say('installing the npm packages');
  // The compiler is among the development packages, which npm leaves out where NODE_ENV says production.
  run('npm', ['ci', '--include=dev', '--no-audit', '--no-fund']);
}

/** npm keeps a list of what it installed: it must agree with our lockfile in every version. */
function nodePackagesAreThere() {
  const installed = readPackages(join(home, 'node_modules/.package-lock.json'));
  const wanted = readPackages(join(home, 'package-lock.json')) ?? {};
  return (
    installed !== null &&
    Object.entries(wanted).every(
      ([path, entry]) =>
        path === '' || entry.optional || installed[path]?.version === entry.version,
    )
  );
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch {
    return null;
  }
}

function installDebianPackages() {
  const lists = JSON.parse(readFileSync(join(home, 'bin/debian-packages.json'), 'utf8'));
  const wanted = purpose === 'test' ? [...lists.run, ...lists.test] : lists.run;
  const missing = wanted.filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  if (process.getuid() !== 0) {
    // Without root the console still shows everything, so only the tests insist.
    if (purpose === 'test')
      fail(
        `these Debian packages are missing, and only root can install them: ${missing.join(' ')}`,
      );
    return;
  }
  if (!existsSync('/usr/bin/apt-get')) {
    fail(
      `this is not a Debian system; please install what these packages hold: ${missing.join(' ')}`,
    );
  }
  say(`installing the Debian packages ${missing.join(' ')}`);
  const install = () => {
    run('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=600', 'update']);
    run('apt-get', [
      '-q',
      '-y',
      '--no-install-recommends',
      '-o',
      'DPkg::Lock::Timeout=600',
      '-o',
      'Dpkg::Options::=--force-confold',
      'install',
      ...missing,
    ]);
  };
  if (purpose === 'test') withoutStartingDaemons(install);
  else install();
}

function isInstalled(name) {
  const answer = spawnSync('dpkg-query', ['-W', '-f', '${db:Status-Status}\n', name], {
    encoding: 'utf8',
  });
  return answer.status === 0 && answer.stdout.split('\n').includes('installed');
}

/** The tests start their own daemons; those of the packages stay off (invoke-rc.d(8), policy-rc.d). */
function withoutStartingDaemons(work) {
  const policy = '/usr/sbin/policy-rc.d';
  const ours =
    '#!/bin/sh\n# Written by the mailserver plugin while its tests install packages; may be removed.\nexit 101\n';
  if (existsSync(policy) && readFileSync(policy, 'utf8') !== ours) return work();
  writeFileSync(policy, ours, { mode: 0o755 });
  try {
    work();
  } finally {
    rmSync(policy, { force: true });
  }
}

function build() {
  if (isBuilt()) return;
  say('building');
  run(process.execPath, [join(home, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.json']);
}

/** The compiler writes its notes last, so sources older than them are compiled already. */
function isBuilt() {
  const notes = join(home, 'dist/.tsbuildinfo');
  if (!existsSync(notes)) return false;
  const built = statSync(notes).mtimeMs;
  const { include } = JSON.parse(readFileSync(join(home, 'tsconfig.json'), 'utf8'));
  return ['package-lock.json', 'tsconfig.json', ...include].every((name) =>
    isOlder(join(home, name), built),
  );
}

function isOlder(path, time) {
  if (!existsSync(path)) return true;
  const entry = statSync(path);
  if (!entry.isDirectory()) return entry.mtimeMs < time;
  return readdirSync(path).every((name) => isOlder(join(path, name), time));
}

/** Our children must not ask anything, and their output belongs beside ours on stderr. */
function run(program, args) {
  try {
    execFileSync(program, args, {
      cwd: home,
      stdio: ['ignore', 2, 2],
      env: {
        ...process.env,
        DEBIAN_FRONTEND: 'noninteractive',
        APT_LISTCHANGES_FRONTEND: 'none',
        NEEDRESTART_MODE: 'l',
      },
    });
  } catch (error) {
    fail(`${program} ${args.join(' ')} failed: ${error.message}`);
  }
}

function say(what) {
  process.stderr.write(`mailserver: ${what}\n`);
}

function fail(why) {
  process.stderr.write(`mailserver: ${why}\n`);
  process.exit(1);
}
