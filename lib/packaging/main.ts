/** Program, run by the Node that goes into the package: builds the Debian package, see `bin/package.mjs`. */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PACKAGE_NAME } from '../launch/debian-package.js';
import { PACKAGE_ROOT } from '../package-root.js';
import { PackagingError, parseArguments, type PackagingArguments } from './arguments.js';
import { checksums, sizeOf } from './contents.js';
import { renderControl } from './control.js';
import { layOut } from './tree.js';

const DPKG_DEB = '/usr/bin/dpkg-deb';
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };
const SCRIPTS = ['postinst', 'prerm', 'postrm'];

const run = promisify(execFile);

/** Returns the path of the package. */
async function build({ version, fast }: PackagingArguments): Promise<string> {
  const home = PACKAGE_ROOT;
  const manifest = JSON.parse(await readFile(join(home, 'package.json'), 'utf8')) as {
    readonly version: string;
  };
  const facts = {
    version: version ?? manifest.version,
    architecture: ARCHITECTURES[process.arch] ?? process.arch,
    maintainer: maintainer(process.env),
  };
  const epoch = await sourceDate(home);
  const output = join(home, 'dist/package');
  await mkdir(output, { recursive: true });
  const staging = await mkdtemp(join(output, '.new-'));
  const root = join(staging, 'root');
  try {
    await layOut(root, {
      ...{ home, node: process.execPath, date: new Date(epoch * 1000) },
      ...facts,
    });
    const { run: depends, suggest: suggests } = await debianPackages(home);
    const control = join(root, 'DEBIAN');
    const sums = await checksums(root);
    const installedSize = await sizeOf(root);
    await mkdir(control);
    await writeFile(join(control, 'md5sums'), sums);
    await writeFile(
      join(control, 'control'),
      renderControl({ ...facts, installedSize, depends, suggests }),
    );
    await writeFile(join(control, 'conffiles'), `/etc/apt/apt.conf.d/20${PACKAGE_NAME}\n`);
    for (const name of SCRIPTS) {
      await cp(join(home, 'lib/packaging/debian', name), join(control, name));
    }
    await run('/usr/bin/chmod', ['-R', 'u=rwX,go=rX', root]);
    await run('/usr/bin/chmod', ['755', ...SCRIPTS.map((name) => join(control, name))]);
    const name = `${PACKAGE_NAME}_${facts.version}_${facts.architecture}.deb`;
    const compression = fast ? ['-Zgzip', '-z1'] : ['-Zxz'];
    await run(
      DPKG_DEB,
      ['--root-owner-group', ...compression, '--build', root, join(staging, name)],
      { env: { ...process.env, SOURCE_DATE_EPOCH: String(epoch) } },
    );
    await rename(join(staging, name), join(output, name));
    return join(output, name);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** As Debian's own tools are told it. */
function maintainer({ DEBFULLNAME, DEBEMAIL }: NodeJS.ProcessEnv): string {
  return `${DEBFULLNAME || 'Mailserver plugin'} <${DEBEMAIL || 'postmaster@localhost'}>`;
}

/** The time every file of the package gets, in seconds, so that the same sources give the same package. */
async function sourceDate(home: string): Promise<number> {
  const told = Number(process.env['SOURCE_DATE_EPOCH']);
  if (told > 0) return told;
  const { stdout } = await run('git', ['log', '-1', '--format=%ct'], { cwd: home }).catch(() => ({
    stdout: '',
  }));
  return Number(stdout.trim()) || Math.floor(Date.now() / 1000);
}

async function debianPackages(
  home: string,
): Promise<{ readonly run: readonly string[]; readonly suggest: readonly string[] }> {
  const text = await readFile(join(home, 'bin/debian-packages.json'), 'utf8');
  return JSON.parse(text) as { run: string[]; suggest: string[] };
}

process.umask(0o022);
try {
  process.stdout.write(`${await build(parseArguments(process.argv.slice(2)))}\n`);
} catch (error) {
  if (!(error instanceof PackagingError)) throw error;
  process.stderr.write(`mailserver: ${error.message}\n`);
  process.exitCode = 1;
}
