/**
 * Installs Debian packages of a fixed list, after a look at what apt would do. Nothing is ever taken away for them, and
 * nothing recommended comes along. Fetching them stands in nobody's way; while they are set up nothing is saved.
 */
import { existsSync } from 'node:fs';
import type { HelperProgress } from '../../contract.js';
import { HelperError } from '../../errors.js';
import type { PackageName } from '../../security/packages.js';
import { ensurePrivateFolder } from '../files.js';
import { LOCK_WAIT_S } from '../lock.js';
import { readMemory, type Memory } from '../memory.js';
import { CLEAN_ENVIRONMENT, runNative, type NativeResult } from '../native.js';
import type { Paths } from '../paths.js';
import { supervisorOf } from '../services/postfix.js';
import { readSimulation, readSizes, readStep, type PackageSize } from './apt.js';

const APT = '/usr/bin/apt-get';
const APT_CACHE = '/usr/bin/apt-cache';
const FLOCK = '/usr/bin/flock';
const SYSTEMD_RUN = '/usr/bin/systemd-run';
const LOOK_LIMIT_MS = 60_000;
/** Fetching the lists of what there is may take, in milliseconds. */
const LISTS_LIMIT_MS = 180_000;
/** And fetching them over a slow line, in seconds. */
const FETCH_LIMIT_SECONDS = 900;
/** And installing, in seconds: a slow disk, and another apt that holds its lock for a while. */
const INSTALL_LIMIT_SECONDS = 900;
/** All of it, in milliseconds. */
export const PACKAGES_LIMIT_MS =
  LISTS_LIMIT_MS + (FETCH_LIMIT_SECONDS + INSTALL_LIMIT_SECONDS) * 1000 + 2 * LOOK_LIMIT_MS;
/** What flock(1) ends with when a save under way does not end in time; apt-get(8) knows 0 and 100. */
const SAVING = 75;
/** How much of what apt said is told, in characters. */
const MAX_DETAIL_CHARS = 4_000;
/** Fetched, unpacked, set up. */
const STEPS_EACH = 3;

export interface PlannedPackage extends PackageSize {
  readonly name: string;
  readonly version: string;
}

export interface PackagePlan {
  /** Everything that would come, what those asked for need included. */
  readonly packages: readonly PlannedPackage[];
  readonly memory: Memory | null;
  /** Whether this is a private root, in which nothing is installed. */
  readonly lab: boolean;
}

/** Changes nothing. Throws a `HelperError` at stage `run` when apt knows no way. */
export async function planPackages(
  names: readonly PackageName[],
  paths: Paths,
): Promise<PackagePlan> {
  if (!existsSync(APT)) throw failed('noApt', {}, '');
  const answer = await runNative(APT, ['-s', ...OPTIONS, 'install', ...names], {
    timeoutMs: LOOK_LIMIT_MS,
  });
  if (answer.code !== 0) throw failed('plan', {}, tail(answer));
  const would = readSimulation(answer.stdout);
  const shown =
    would.length === 0
      ? ''
      : (
          await runNative(
            APT_CACHE,
            ['show', ...would.map((one) => `${one.name}=${one.version}`)],
            {
              timeoutMs: LOOK_LIMIT_MS,
            },
          )
        ).stdout;
  const sizes = readSizes(shown);
  return {
    packages: would.map((one) => ({
      ...one,
      ...(sizes.get(`${one.name.replace(/:.*$/, '')}=${one.version}`) ?? NO_SIZE),
    })),
    memory: await readMemory(),
    lab: paths.root !== '',
  };
}

const NO_SIZE: PackageSize = { download: 0, installed: 0 };
/** Neither what is recommended, nor anything at the cost of something that is there. */
const OPTIONS = ['-q', '-y', '--no-install-recommends', '--no-remove'] as const;
const UNASKED = [
  ...['-o', 'DPkg::Lock::Timeout=120', '-o', 'Dpkg::Use-Pty=0'],
  // A file of configuration that somebody changed stays.
  ...['-o', 'Dpkg::Options::=--force-confdef', '-o', 'Dpkg::Options::=--force-confold'],
] as const;

export interface InstallResult {
  /** What came, by name. */
  readonly installed: readonly string[];
}

/** Throws a `HelperError` at stage `run`, with apt's words. What was installed until then stays. */
export async function installPackages(
  names: readonly PackageName[],
  {
    paths,
    progress,
    changing,
  }: {
    readonly paths: Paths;
    readonly progress: (progress: HelperProgress) => void;
    /** Puts on record that something is installed, however it ends. */
    readonly changing: () => Promise<void>;
  },
): Promise<InstallResult> {
  if (paths.root !== '') throw failed('lab', { names: names.join(', ') }, '');
  progress({ done: 0, total: null, row: 'installLists' });
  // A mirror that is away for a moment is no reason not to try with the lists there are.
  await outside(paths, [APT, '-q', 'update'], LISTS_LIMIT_MS / 1000, () => undefined);
  const { packages } = await planPackages(names, paths);
  if (packages.length === 0) return { installed: [] };
  const total = packages.length * STEPS_EACH;
  let done = 0;
  const hear = (line: string): void => {
    const step = readStep(line);
    if (step === null) return;
    done = Math.min(done + 1, total);
    progress({ done, total, row: ROWS[step] });
  };
  progress({ done: 0, total, row: ROWS.fetch });
  await changing();
  const command = [APT, ...OPTIONS, ...UNASKED, 'install', ...names];
  const fetch = [...command, '--download-only'];
  const fetched = await outside(paths, fetch, FETCH_LIMIT_SECONDS, hear);
  if (fetched.code !== 0) throw failed('install', {}, tail(fetched));
  const answer = await outside(
    paths,
    await whileNobodySaves(command, paths),
    INSTALL_LIMIT_SECONDS,
    hear,
  );
  if (answer.code === SAVING) throw busy();
  if (answer.code !== 0) throw failed('install', {}, tail(answer));
  return { installed: packages.map(({ name }) => name) };
}

/**
 * Holds the lock of whoever writes, as long as the command runs: also when this request ends before it. What the command
 * starts, such as a daemon, does not hold it (`-o`).
 */
async function whileNobodySaves(
  command: readonly string[],
  { stateDir }: Paths,
): Promise<readonly string[]> {
  await ensurePrivateFolder(stateDir);
  const wait = ['-w', String(LOCK_WAIT_S), '-E', String(SAVING)];
  return [FLOCK, '-x', '-o', ...wait, `${stateDir}/lock`, ...command];
}

function busy(): HelperError {
  const values = { seconds: LOCK_WAIT_S };
  return new HelperError({
    stage: 'run',
    key: 'helper.run.busy',
    values,
    detail: '',
    restored: true,
  });
}

const ROWS = { fetch: 'installFetch', unpack: 'installUnpack', setUp: 'installSetUp' } as const;

/**
 * Under systemd the helper may write neither programs nor libraries, and ends with its request: there apt runs as a unit of
 * its own, beside it. `hear` gets each line.
 */
async function outside(
  paths: Paths,
  command: readonly string[],
  limitSeconds: number,
  hear: (line: string) => void,
): Promise<NativeResult> {
  const quiet = { DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_MODE: 'l' };
  const unit = supervisorOf(paths) === 'systemd';
  const [program = '', ...args] = unit
    ? [
        ...[SYSTEMD_RUN, '--quiet', '--pipe', '--wait', '--collect', '--unit=mailserver-install'],
        ...['--property=RuntimeMaxSec=' + String(limitSeconds), '--setenv=LC_ALL=C.UTF-8'],
        ...Object.entries(quiet).map(([name, value]) => `--setenv=${name}=${value}`),
        ...['--', ...command],
      ]
    : command;
  let said = '';
  let held = '';
  const answer = await runNative(program, args, {
    environment: { ...CLEAN_ENVIRONMENT, ...quiet },
    timeoutMs: limitSeconds * 1000 + 10_000,
    onStdout: (chunk) => {
      const text = chunk.toString('utf8');
      said = (said + text).slice(-MAX_DETAIL_CHARS);
      const lines = (held + text).split('\n');
      held = lines.pop() ?? '';
      for (const line of lines) hear(line);
    },
  });
  return { ...answer, stdout: said };
}

function tail({ stdout, stderr, timedOut }: NativeResult): string {
  return `${stdout}\n${stderr}${timedOut ? '\n(timeout)' : ''}`.trim().slice(-MAX_DETAIL_CHARS);
}

function failed(key: string, values: Record<string, string>, detail: string): HelperError {
  const name = `helper.packages.${key}`;
  return new HelperError({ stage: 'run', key: name, values, detail, restored: true });
}
