/**
 * The daemons beside Postfix that a change needs: started, or told of new files, before Postfix hears of them; stopped when
 * nobody needs them any more; put back with everything else.
 */
import { HelperError } from '../../errors.js';
import type { DaemonNeed } from '../../sections/section.js';
import { runNative } from '../native.js';
import type { Paths } from '../paths.js';
import { requeueScanned } from '../scanning/requeue.js';
import { definitionOf } from '../services/all.js';
import { daemonOf, type Daemon } from '../services/daemons.js';
import type { Replacement } from './journal.js';
import type { Plan } from './plan.js';

/** How a daemon was before a change. */
export interface DaemonBefore {
  readonly name: string;
  readonly running: boolean;
  readonly atBoot: boolean;
}

interface Step extends DaemonBefore {
  readonly daemon: Daemon;
  readonly need: DaemonNeed;
  /** Whether a file it reads changes. */
  readonly told: boolean;
}

export interface DaemonPlan {
  /** For the journal. */
  readonly before: readonly DaemonBefore[];
  /** What has to run runs, with its new files. Throws at stage `activate` when one that must answer does not. */
  bringUp(): Promise<void>;
  /** What nobody needs any more is stopped. */
  letGo(): Promise<void>;
}

/** Throws at stage `check` when a daemon that is needed cannot run here. */
export async function planDaemons(
  { touched, settings }: Plan,
  replacements: readonly Replacement[],
  paths: Paths,
): Promise<DaemonPlan> {
  const steps: Step[] = [];
  for (const { section, before } of touched) {
    const needs = section.daemons?.(settings[section.id]) ?? [];
    const old = before === null || before === undefined ? [] : (section.daemons?.(before) ?? []);
    const { files, directives = [] } = section.owns;
    const own = [...files, ...directives].map((name) => paths.root + name);
    const told = replacements.some(({ file }) => own.includes(file));
    for (const need of needs) {
      const was = old.find(({ daemon }) => daemon === need.daemon)?.wanted ?? false;
      if (!need.wanted && !was) continue;
      const daemon = daemonOf(definitionOf(need.daemon), paths);
      if (need.wanted && need.proved) await refuseMissing(need.daemon, daemon, paths);
      const [running, atBoot] = await Promise.all([daemon.running(), daemon.enabledAtBoot()]);
      steps.push({ name: daemon.name, daemon, need, running, atBoot, told });
    }
  }
  const wanted = steps.filter(({ need }) => need.wanted);
  return {
    before: steps.map(({ name, running, atBoot }) => ({ name, running, atBoot })),
    bringUp: async () => {
      for (const step of wanted) await bringUp(step, paths);
    },
    letGo: async () => {
      for (const { need, daemon } of [...steps].reverse()) {
        if (need.wanted) continue;
        await daemon.enableAtBoot(false);
        await daemon.stop();
        if (definitionOf(need.daemon).holdsMail) await requeueScanned(paths);
      }
      // What came while it was started anew need not wait for its next try.
      if (wanted.some(({ told, need }) => told && definitionOf(need.daemon).holdsMail)) {
        await runNative('/usr/sbin/postqueue', ['-c', paths.configDir, '-f']);
      }
    },
  };
}

async function bringUp({ daemon, need, told, running }: Step, paths: Paths): Promise<void> {
  if (!need.proved && !daemon.installed()) return;
  await daemon.enableAtBoot(true);
  if (!need.proved) {
    if (!running) await daemon.start();
    return;
  }
  const lacking = (await definitionOf(need.daemon).equip?.(paths)) ?? false;
  const attempt = lacking ? daemon.restart() : told && running ? daemon.reload() : daemon.start();
  const { up, service, said } = await attempt;
  if (up) return;
  const values = { service: daemon.name };
  const detail = `${service}\n${said}`.trim();
  const key = 'helper.activate.daemon';
  throw new HelperError({ stage: 'activate', key, values, detail, restored: false });
}

async function refuseMissing(name: string, daemon: Daemon, paths: Paths): Promise<void> {
  const lacking = daemon.installed() ? await definitionOf(name).lacks?.(paths) : 'daemonMissing';
  if (!lacking) return;
  const key = `helper.check.${lacking}`;
  const values = { service: name };
  throw new HelperError({ stage: 'check', key, values, detail: '', restored: true });
}

/** Makes the daemons follow the files that were put back. What does not come up again is left to the page that tells of it. */
export async function followDaemons(before: readonly DaemonBefore[], paths: Paths): Promise<void> {
  for (const { name, running, atBoot } of before) {
    const daemon = daemonOf(definitionOf(name), paths);
    if ((await daemon.enabledAtBoot()) !== atBoot) await daemon.enableAtBoot(atBoot);
    if (running) await ((await daemon.running()) ? daemon.reload() : daemon.start());
    else if (await daemon.running()) await daemon.stop();
  }
}
