/** The root file system of a freshly installed, minimal Debian; made once and kept between test runs. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BUNDLED_NODE } from '../../lib/packaging/node.js';

export type Release = 'trixie' | 'bookworm';

const run = promisify(execFile);

/** What an administrator has before reading our README: a Debian that boots, and certificates. */
const BASE = ['ca-certificates', 'dbus', 'systemd', 'systemd-sysv'];

/** Debian 13 brings a Node that is new enough; on Debian 12 one comes from elsewhere, here the npm registry. */
const NODE: Readonly<Record<Release, { readonly packages: string[]; readonly bundled: boolean }>> =
  {
    trixie: { packages: ['nodejs', 'npm'], bundled: false },
    bookworm: { packages: [], bundled: true },
  };
const NPM = '10.9.4';

/** Changes whenever the images have to be made anew. */
const GENERATION = 1;

/** Outside of the clone, so that the next clone finds it. */
export function cacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] || '/var/cache', 'mailserver-tests');
}

/** Returns the folder of the image. Nobody may write to it. Takes minutes the first time. */
export async function debianImage(release: Release): Promise<string> {
  const image = join(cacheFolder(), `${release}-${GENERATION}`);
  if (existsSync(image)) return image;
  await mkdir(cacheFolder(), { recursive: true });
  const staging = await mkdtemp(`${image}.new-`);
  try {
    await chmod(staging, 0o755);
    const packages = [...BASE, ...NODE[release].packages].join(',');
    await run('/usr/bin/mmdebstrap', [
      '--variant=minbase',
      `--include=${packages}`,
      release,
      staging,
    ]);
    if (NODE[release].bundled) await bundleNode(staging);
    // Another run may have been faster; then its image is as good as ours.
    if (!existsSync(image)) await rename(staging, image);
    return image;
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function bundleNode(image: string): Promise<void> {
  const packages = await mkdtemp(join(cacheFolder(), 'node-'));
  const platform = `node-linux-${process.arch}`;
  try {
    await run('npm', [
      ...['install', '--prefix', packages, '--no-audit', '--no-fund', '--no-save'],
      ...[`${platform}@${BUNDLED_NODE}`, `npm@${NPM}`],
    ]);
    const local = join(image, 'usr/local');
    await cp(join(packages, 'node_modules', platform, 'bin/node'), join(local, 'bin/node'));
    await chmod(join(local, 'bin/node'), 0o755);
    const npm = 'lib/node_modules/npm';
    await cp(join(packages, 'node_modules/npm'), join(local, npm), { recursive: true });
    for (const name of ['npm', 'npx']) {
      await symlink(`../${npm}/bin/${name}-cli.js`, join(local, 'bin', name));
    }
  } finally {
    await rm(packages, { recursive: true, force: true });
  }
}
