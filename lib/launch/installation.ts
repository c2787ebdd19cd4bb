/**
 * Puts the build where the programs run from: owned by root, readable for all, writable for nobody else.
 *
 * `<programs>/releases/<digest>` holds one build, `<programs>/current` points to the one in use. A clone in somebody's
 * home is never run by root's services, and the console's user need not be able to read it.
 */
import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import {
  cp,
  mkdir,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  stat,
  symlink,
} from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { LaunchError } from './arguments.js';

/** What of the package the programs need at run time; `lib` brings views, and the sources the stack traces name. */
const RUNTIME_PARTS = [
  'package.json',
  'plugin.json',
  'dist/lib',
  'dist/routes',
  'dist/migrations',
  'lib',
  'routes',
  'migrations',
  'views',
  'locales',
  'public',
];

export interface Installation {
  /** Folder of this release. */
  readonly release: string;
  /** `<programs>/current`, for units that outlive a release. */
  readonly current: string;
  /** The Node that runs it: the machine's own when only root can change it, else a copy in the release. */
  readonly node: string;
  /** False when just this build was installed already. */
  readonly isNew: boolean;
}

/** Puts what the programs need at run time into the folder `release`; `id` is the same for the same content. */
export type FillRelease = (release: string, home: string, id: string) => Promise<void>;

/**
 * Installs the build of the package in `home` below `programs`. A killed installation leaves the former one in use;
 * with `durable` so does a power cut. `LaunchError` when there is no room for it. `fill` brings what belongs to the release `id` into an empty folder.
 */
export async function installBuild(
  home: string,
  programs: string,
  { durable, fill = copyRelease }: { durable: boolean; fill?: FillRelease },
): Promise<Installation> {
  const { parts, packages } = await runtimeFiles(home);
  const ownNode = await trustedNode();
  const id = await digest(home, parts, [...packages, process.version, String(ownNode)]);
  const release = join(programs, 'releases', id);
  const current = join(programs, 'current');
  const installation = { release, current, node: ownNode ?? join(release, 'node') };

  const former = await readlink(current).catch(() => null);
  if (former === relative(programs, release)) return { ...installation, isNew: false };

  const staging = `${release}.new`;
  await rm(staging, { recursive: true, force: true });
  try {
    await mkdir(staging, { recursive: true, mode: 0o755 });
    await fill(staging, home, id);
    if (ownNode === null) await cp(process.execPath, join(staging, 'node'));
  } catch (error) {
    // Half a release would only take room from what runs.
    await rm(staging, { recursive: true, force: true });
    throw saysNoRoom(error) ? noRoom(programs, error) : error;
  }
  await rm(release, { recursive: true, force: true });
  await rename(staging, release);
  if (durable) await promisify(execFile)('/usr/bin/sync', ['-f', release]);
  await pointTo(current, relative(programs, release));
  await removeOthers(join(programs, 'releases'), [id, former === null ? id : basenameOf(former)]);
  return { ...installation, isNew: true };
}

/** Copies what the programs need at run time into the folder `release`, and makes the helper's bundle there. */
export async function copyRelease(release: string, home: string): Promise<void> {
  const { parts, packages } = await runtimeFiles(home);
  await copyInto(release, home, [...parts, ...packages]);
  // Only an installation needs the bundler, so nothing else loads it.
  const { bundleHelper } = await import('./bundle-helper.js');
  await bundleHelper(home, release);
}

function basenameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Swaps the link in one step. */
async function pointTo(link: string, target: string): Promise<void> {
  await rm(`${link}.new`, { force: true });
  await symlink(target, `${link}.new`);
  await rename(`${link}.new`, link);
}

/** Keeps the release in use and the one before it, whose console may still be running. */
async function removeOthers(releases: string, keep: readonly string[]): Promise<void> {
  for (const name of await readdir(releases)) {
    if (!keep.includes(name)) await rm(join(releases, name), { recursive: true, force: true });
  }
}

/** As paths below `home`. */
async function runtimeFiles(home: string): Promise<{ parts: string[]; packages: string[] }> {
  const parts = RUNTIME_PARTS.filter((part) => existsSync(join(home, part)));
  return { parts, packages: await runtimePackages(home) };
}

/** The packages a production install would have, as paths below the package, from npm's own list of what it installed. */
async function runtimePackages(home: string): Promise<string[]> {
  const list = JSON.parse(
    await readFile(join(home, 'node_modules/.package-lock.json'), 'utf8'),
  ) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>;
  };
  return Object.entries(list.packages)
    .filter(([path, entry]) => isTopLevel(path) && !entry.dev && !entry.devOptional)
    .map(([path]) => path)
    .filter((path) => existsSync(join(home, path)))
    .sort();
}

/** What lies inside another package comes along with it. */
function isTopLevel(path: string): boolean {
  return path.lastIndexOf('node_modules/') === 0;
}

/** Of a call that failed, or of cp(1). */
function saysNoRoom(error: unknown): boolean {
  const { code, stderr } = error as { code?: unknown; stderr?: unknown };
  return code === 'ENOSPC' || String(stderr).includes('No space left on device');
}

function noRoom(programs: string, cause: unknown): LaunchError {
  return new LaunchError(
    `there is too little room for the programs in ${programs}; make room there, and start again. ` +
      'What was installed before is as it was',
    { cause },
  );
}

/** cp(1) copies the four thousand small files in a third of a second, several times faster than `fs.cp`. */
async function copyInto(target: string, home: string, parts: readonly string[]): Promise<void> {
  const options = [
    '-R',
    '--parents',
    '--no-preserve=mode,ownership,timestamps',
    '-t',
    target,
    '--',
  ];
  const env = { LC_ALL: 'C' };
  await promisify(execFile)('/usr/bin/cp', [...options, ...parts], { cwd: home, env });
}

async function digest(
  home: string,
  parts: readonly string[],
  facts: readonly string[],
): Promise<string> {
  const hash = createHash('sha256');
  const add = (...items: readonly (string | Buffer)[]): void => {
    for (const item of items) hash.update(`${item.length}:`).update(item);
  };
  add(...facts, await readFile(join(home, 'package-lock.json')));
  for (const part of parts) {
    for (const file of await filesBelow(join(home, part))) {
      add(relative(home, file), await readFile(file));
    }
  }
  return hash.digest('hex').slice(0, 16);
}

async function filesBelow(path: string): Promise<string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  const names = (await readdir(path)).sort();
  return (await Promise.all(names.map((name) => filesBelow(join(path, name))))).flat();
}

/** This Node's path, when only root can change it and everybody can reach it; null otherwise (a version manager in a home). */
async function trustedNode(): Promise<string | null> {
  const path = await realpath(process.execPath);
  for (let step = path; ; step = dirname(step)) {
    const { uid, mode } = await stat(step);
    if (uid !== 0 || (mode & 0o022) !== 0 || (mode & 0o001) === 0) return null;
    if (step === '/') return path;
  }
}
