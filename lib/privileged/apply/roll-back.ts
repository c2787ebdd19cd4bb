/** The way back of a change that failed after it had begun: files, daemons, record, and proof that all is as it was. */
import { HelperError } from '../../errors.js';
import type { Paths } from '../paths.js';
import type { ConfigView } from '../postfix/config-view.js';
import { PROBE_SERVICE } from '../postfix/listeners.js';
import type { ApplyParams } from '../protocol.js';
import { readState, writeState, type HelperState } from '../state.js';
import { closeJournal, putBack, type Journal } from './journal.js';
import { expectationOf, prove, PROVE_RESTORED_LIMIT_MS } from './prove.js';
import { follow } from './recover.js';
import { recordOf } from './remember.js';

/** What stood before the swap, for the way back. */
export interface Before {
  readonly state: HelperState;
  readonly view: ConfigView;
  /** Proof steps that did not hold before the change either. Null: Postfix was not asked, as nothing of it changes. */
  readonly faults: ReadonlySet<string> | null;
}

/** Puts everything back, waits until the running Postfix shows it, and turns the cause into the answer. */
export async function rolledBack(
  cause: unknown,
  params: ApplyParams,
  digests: Readonly<Record<string, string>>,
  before: Before,
  journal: Journal,
  paths: Paths,
): Promise<HelperError> {
  const first = asHelperError(cause);
  try {
    await putBack(paths, journal);
    await follow(paths, journal);
    const restored = !journal.wasRunning || (await provenAgain(paths, before));
    const failure = { ...first.toFailure(), restored };
    const record = recordOf(params, digests, { status: 'refused', failure });
    await remember(paths, { ...before.state, record }, journal);
    await closeJournal(paths, journal).catch(() => undefined);
    return new HelperError(failure, { cause });
  } catch (second) {
    const detail = second instanceof HelperError ? second.detail : String(second);
    return new HelperError(
      {
        stage: 'rollback',
        key: 'helper.rollback.failed',
        values: { stage: first.stage },
        detail: `${first.detail}\n${detail}`,
        restored: false,
      },
      { cause },
    );
  }
}

/** Without the probe listener, before the very first change, the public port alone is asked. */
async function provenAgain(paths: Paths, { view, faults }: Before): Promise<boolean> {
  if (faults === null) return true;
  const hadProbe = view.masterService(PROBE_SERVICE) !== null;
  const expected = hadProbe ? faults : new Set([...faults, 'proof.listener']);
  const steps = await prove(paths, expectationOf(view, paths), PROVE_RESTORED_LIMIT_MS, expected);
  return steps.every((step) => step.ok || step.tolerated || expected.has(step.key));
}

/**
 * That a change was refused need not be on record, on a full disk say: then it is as if it had never been asked.
 * But a state that names our swap as finished would be a lie, and must be replaced.
 */
async function remember(paths: Paths, state: HelperState, { id }: Journal): Promise<void> {
  try {
    await writeState(paths, state);
  } catch (cause) {
    if ((await readState(paths)).swap === id) throw cause;
  }
}

function asHelperError(cause: unknown): HelperError {
  if (cause instanceof HelperError) return cause;
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new HelperError(
    { stage: 'activate', key: 'helper.activate.failed', values: {}, detail, restored: false },
    { cause },
  );
}
