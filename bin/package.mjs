// `npm run package`: installs the npm packages, builds, fetches the Node that goes along, and lets it build the Debian package.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const home = dirname(dirname(fileURLToPath(import.meta.url)));
run(process.execPath, [join(home, 'bin/set-up.mjs'), 'build']);
const { fetchNode, nodeOf } = await import('../dist/lib/packaging/node.js');
const node = nodeOf(await fetchNode(join(home, '.cache')));
run(node, [join(home, 'dist/lib/packaging/main.js'), ...process.argv.slice(2)]);

function run(program, args) {
  const { status } = spawnSync(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) process.exit(status ?? 1);
}
