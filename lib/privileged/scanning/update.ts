/**
 * Fetches newer virus signatures or rules for spam, now instead of when their own daemons would. Both fetchers check who
 * signed what they get, and run as their own users, never as root.
 */
import { existsSync } from 'node:fs';
import { chown, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { HelperProgress } from '../../contract.js';
import { HelperError } from '../../errors.js';
import { FRESHCLAM_FILE, SIGNATURE_FOLDER } from '../../security/places.js';
import type { Update } from '../../security/work.js';
import { readText } from '../files.js';
import { takeLock } from '../lock.js';
import { runNative, type NativeResult } from '../native.js';
import { runNativeAs } from '../native-as.js';
import type { Paths } from '../paths.js';
import { daemonOf } from '../services/daemons.js';
import { AMAVIS, FRESHCLAM, signatureFiles } from '../services/scanners.js';
import { foldersWithoutRules, RULES_FOLDER } from './data.js';

export interface UpdateResult {
  /** What there is now: something newer, or what was there already. */
  readonly done: readonly [Update | `${Update}Current`];
}

/** How long a fetcher may take, in milliseconds: all signatures together have 300 MB. */
export const FETCH_LIMIT_MS = 1_200_000;
const CLAMAV_USER = 'clamav';
/** As Debian's own daily update has it. */
const RULES_USER = 'debian-spamd';
const SA_UPDATE = '/usr/bin/sa-update';
/** sa-update(1). */
const NOTHING_NEWER = 1;
/** How much of what a fetcher said is told, in characters. */
const MAX_DETAIL_CHARS = 4_000;

/** A proxy as a URL, as it may stand in the files of both fetchers: no sign of it means anything there. */
export const PROXY_URL =
  /^https?:\/\/(?:[\w.~%+-]+(?::[\w.~%+-]*)?@)?(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?\/?$/i;

/** Throws a `HelperError` at stage `run`, with the fetcher's words, when it does not get anything. */
export async function update(
  what: Update,
  proxy: string | null,
  paths: Paths,
  progress: (progress: HelperProgress) => void,
): Promise<UpdateResult> {
  progress({ done: 0, total: null, row: what });
  const newer =
    what === 'signatures' ? await fetchSignatures(proxy, paths) : await fetchRules(proxy, paths);
  return { done: [newer ? what : `${what}Current`] };
}

async function fetchSignatures(proxy: string | null, paths: Paths): Promise<boolean> {
  const daemon = daemonOf(FRESHCLAM, paths);
  if (!daemon.installed()) throw failed('missing', { service: daemon.name }, '');
  const before = await printOf(paths);
  const folder = await mkdtemp(`${paths.root}/run/mailserver-update-`);
  try {
    const file = path.join(folder, 'freshclam.conf');
    const text = (await readText(paths.root + FRESHCLAM_FILE)) ?? '';
    await writeFile(file, fetchOnce(text, proxy), { mode: 0o600 });
    await own(file, CLAMAV_USER);
    await own(folder, CLAMAV_USER);
    const args = [`--config-file=${file}`, '--stdout'];
    const answer = await as(CLAMAV_USER, FRESHCLAM.program, args, {});
    if (answer.code !== 0) throw failed('update', { service: 'freshclam' }, said(answer, proxy));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return (await printOf(paths)) !== before;
}

const ONCE = /^\s*(?:UpdateLogFile|PidFile|LogSyslog|Foreground)\b/i;
const ONCE_BY_PROXY = /^\s*(?:UpdateLogFile|PidFile|LogSyslog|Foreground|HTTPProxy\w+)\b/i;

/** The machine's own freshclam.conf(5), for one run beside the daemon, which holds on to the log. */
export function fetchOnce(text: string, proxy: string | null): string {
  const ours = proxy === null ? ONCE : ONCE_BY_PROXY;
  const kept = text.split('\n').filter((line) => !ours.test(line));
  return [...kept, ...(proxy === null ? [] : proxyLines(proxy)), ''].join('\n');
}

function proxyLines(proxy: string): readonly string[] {
  const { protocol, hostname, port, username, password } = new URL(proxy);
  const secure = protocol === 'https:';
  return [
    `HTTPProxyServer ${secure ? 'https://' : ''}${hostname}`,
    `HTTPProxyPort ${port === '' ? (secure ? '443' : '80') : port}`,
    ...(username === '' ? [] : [`HTTPProxyUsername ${username}`]),
    ...(password === '' ? [] : [`HTTPProxyPassword ${password}`]),
  ];
}

async function fetchRules(proxy: string | null, paths: Paths): Promise<boolean> {
  // A private root uses the machine's, and writes nothing there.
  if (paths.root !== '') throw failed('machineRules', {}, '');
  if (!existsSync(SA_UPDATE)) throw failed('missing', { service: 'spamassassin' }, '');
  const environment = proxy === null ? {} : { http_proxy: proxy, https_proxy: proxy };
  const args = ['-v', '--gpghomedir', `${RULES_FOLDER}/sa-update-keys`];
  const answer = await as(RULES_USER, SA_UPDATE, args, environment);
  // Its first try makes the folder, which SpamAssassin then takes for all rules there are, however it ended.
  for (const folder of await foldersWithoutRules()) {
    await as(RULES_USER, '/usr/bin/rm', ['-rf', '--', folder], {});
  }
  if (answer.code === NOTHING_NEWER) return false;
  if (answer.code !== 0) throw failed('update', { service: 'sa-update' }, said(answer, proxy));
  await readAnew(paths);
  return true;
}

/** amavis reads the rules when it starts. */
async function readAnew(paths: Paths): Promise<void> {
  const lock = await takeLock(`${paths.stateDir}/lock`);
  try {
    const daemon = daemonOf(AMAVIS, paths);
    if (!(await daemon.running())) return;
    const { up, service, said: words } = await daemon.restart();
    if (!up) throw failed('start', { service: daemon.name }, `${service}\n${words}`.trim());
  } finally {
    lock.release();
  }
}

/** What changes when a file with signatures does. */
async function printOf(paths: Paths): Promise<string> {
  const names = await signatureFiles(paths);
  const prints = names.map(async (name) => {
    const { size, mtimeMs, ino } = await stat(`${paths.root}${SIGNATURE_FOLDER}/${name}`);
    return `${name} ${size} ${mtimeMs} ${ino}`;
  });
  return (await Promise.all(prints)).join('\n');
}

function as(
  user: string,
  program: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<NativeResult> {
  // The scanners, which are other users, read what is fetched; what we write ourselves is nobody else's.
  const mask = process.umask(0o022);
  try {
    return runNativeAs({ user, allGroups: true, home: RULES_FOLDER }, program, args, {
      timeoutMs: FETCH_LIMIT_MS,
      environment,
    });
  } finally {
    process.umask(mask);
  }
}

async function own(file: string, user: string): Promise<void> {
  const { stdout } = await runNative('/usr/bin/id', ['-u', user]);
  await chown(file, Number(stdout), 0);
}

/** The end of it, without the proxy's password. */
function said({ stdout, stderr, timedOut }: NativeResult, proxy: string | null): string {
  const password = proxy === null ? '' : new URL(proxy).password;
  const text = `${stdout}${stderr}${timedOut ? '\n(timeout)' : ''}`.trim().slice(-MAX_DETAIL_CHARS);
  return password === '' ? text : text.replaceAll(password, '***');
}

function failed(key: string, values: Record<string, string>, detail: string): HelperError {
  return new HelperError({
    stage: 'run',
    key: `helper.security.${key}`,
    values,
    detail,
    restored: true,
  });
}
