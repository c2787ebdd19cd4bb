/**
 * Puts the chain right, in the order in which it works: what is asked about strangers, the group, the scanner, which must
 * be started after it has the group, then amavis, which asks the scanner, then the proof, and at last the mail that waited.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { HelperProgress } from '../../contract.js';
import { HelperError } from '../../errors.js';
import type { SecuritySettings } from '../../security/schema.js';
import { REPAIRS, type Repair } from '../../security/work.js';
import { policyExpectationOf, provePolicy } from '../apply/policy-proof.js';
import { proveScan, scanExpectationOf } from '../apply/scan-proof.js';
import { ensurePrivateFolder } from '../files.js';
import { takeLock } from '../lock.js';
import { runNative } from '../native.js';
import type { Paths } from '../paths.js';
import { readConfig } from '../postfix/config-view.js';
import type { ProofStep } from '../protocol.js';
import { daemonOf, type DaemonDefinition } from '../services/daemons.js';
import { wantedServers } from '../services/policy-servers.js';
import { AMAVIS, CLAMD, FRESHCLAM, mayRead } from '../services/scanners.js';
import { readState } from '../state.js';
import { isMember, join } from './group.js';

/** How long the scanners have to find what they must find after a start, in milliseconds. */
const PROVE_LIMIT_MS = 30_000;
const PROVE_PAUSE_MS = 200;

export interface RepairResult {
  /** What had to be done. */
  readonly done: readonly Repair[];
  readonly proof: readonly ProofStep[];
}

/** `progress` hears of each step as it begins. Throws a `HelperError` at stage `run` at the first that has no success. */
export async function repair(
  wanted: readonly Repair[],
  paths: Paths,
  progress: (progress: HelperProgress) => void,
): Promise<RepairResult> {
  await ensurePrivateFolder(paths.stateDir);
  const lock = await takeLock(`${paths.stateDir}/lock`);
  try {
    const settings = (await readState(paths)).sections['security'] as SecuritySettings | undefined;
    const scanning = settings !== undefined && (settings.spam || settings.virus);
    const servers = wantedServers(paths);
    const steps = REPAIRS.filter((one) => wanted.includes(one)).filter((one) =>
      one === 'policy' ? servers.length > 0 : scanning && (one === 'amavis' || settings.virus),
    );
    if (steps.length === 0) throw failed('off', {}, '');
    const done: Repair[] = [];
    for (const [index, step] of steps.entries()) {
      progress({ done: index, total: steps.length + 1, row: step });
      if (step === 'group') {
        const member = await isMember(paths);
        await join(paths);
        const lacking = !(await mayRead(paths));
        if (lacking) await bringUp(CLAMD, true, paths);
        if (lacking || !member) done.push(step);
      } else if (step === 'policy') {
        const started = await Promise.all(
          servers.map(({ definition }) => bringUp(definition, false, paths)),
        );
        if (started.some(Boolean)) done.push(step);
      } else if (await bringUp(DAEMON[step], false, paths)) {
        done.push(step);
      }
    }
    progress({ done: steps.length, total: steps.length + 1, row: 'proof' });
    const proof = await prove(scanning ? settings : null, paths);
    if (proof.every(({ ok }) => ok)) await flush(paths);
    return { done, proof };
  } finally {
    lock.release();
  }
}

const DAEMON: Readonly<Record<Exclude<Repair, 'group' | 'policy'>, DaemonDefinition>> = {
  freshclam: FRESHCLAM,
  clamav: CLAMD,
  amavis: AMAVIS,
};

/** Whether anything had to be done. */
async function bringUp(
  definition: DaemonDefinition,
  restart: boolean,
  paths: Paths,
): Promise<boolean> {
  const daemon = daemonOf(definition, paths);
  const values = { service: daemon.name };
  if (!daemon.installed()) throw failed('missing', values, '');
  if ((await definition.lacks?.(paths)) ?? null) throw failed('signatures', values, '');
  const [atBoot, running, answers] = await Promise.all([
    daemon.enabledAtBoot(),
    daemon.running(),
    daemon.answers(),
  ]);
  if (!atBoot) await daemon.enableAtBoot(true);
  // It listens nowhere.
  const silent = definition === FRESHCLAM;
  const up = silent ? running : answers;
  if (up && !restart) return !atBoot;
  // One that runs and does not answer will not begin to.
  const attempt = running || restart ? await daemon.restart() : await daemon.start();
  const works = silent ? await daemon.running() : attempt.up;
  if (!works) throw failed('start', values, `${attempt.service}\n${attempt.said}`.trim());
  return true;
}

/** `settings` are null where nothing is scanned. */
async function prove(
  settings: SecuritySettings | null,
  paths: Paths,
): Promise<readonly ProofStep[]> {
  const view = await readConfig(paths.configDir, paths);
  const expected =
    settings && scanExpectationOf(view, { ...settings, before: settings.place === 'before' });
  const strangers = policyExpectationOf(view, paths);
  const end = Date.now() + PROVE_LIMIT_MS;
  for (;;) {
    const rounds = await Promise.all([provePolicy(strangers), proveScan(expected)]);
    const proof = rounds.flat();
    if (proof.every(({ ok }) => ok) || Date.now() > end) return proof;
    // What does not listen says so at once.
    await sleep(PROVE_PAUSE_MS);
  }
}

/** Mail that waited for the scanners need not wait for its next try. */
async function flush({ configDir }: Paths): Promise<void> {
  await runNative('/usr/sbin/postqueue', ['-c', configDir, '-f']);
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
