// `npm start`: installs and builds what is missing, then hands over to the compiled program.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const home = dirname(dirname(fileURLToPath(import.meta.url)));
refuseOldNode();
setUp();
const { main } = await import('../dist/lib/launch/main.js');
process.exit(await main(process.argv.slice(2)));

function refuseOldNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  stop(`Node 20.19 or newer is needed, this is ${process.versions.node}`);
}

/** Under a lock: two starts from one clone must not install and build at the same time. */
function setUp() {
  const command = [process.execPath, 'bin/set-up.mjs', 'run'];
  const lock = lockFile();
  if (lock) command.unshift('flock', lock);
  const [program, ...args] = command;
  const done = spawnSync(program, args, { cwd: home, stdio: ['ignore', 2, 2] });
  if (done.status !== 0) stop('the set-up failed, nothing was started');
}

/** Null in a clone that we may not write to: it has to be complete, which the set-up finds out. */
function lockFile() {
  try {
    mkdirSync(join(home, '.cache'), { recursive: true });
    accessSync(join(home, '.cache'), constants.W_OK);
    return join(home, '.cache/set-up.lock');
  } catch {
    return null;
  }
}

function stop(why) {
  process.stderr.write(`mailserver: ${why}\n`);
  process.exit(1);
}
