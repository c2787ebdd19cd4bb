/**
 * The one safe apply: check again → render → compare → stage → native checks → journal → swap → activate → prove,
 * or everything back. See `journal.ts` for what a kill in the middle leaves behind.
 */
import { createTwoFilesPatch } from 'diff';
import { HelperError, type HelperStage } from '../../errors.js';
import type { SectionRegistry } from '../../sections/registry.js';
import type { Danger, SystemView } from '../../sections/section.js';
import { ensurePrivateFolder } from '../files.js';
import { takeLock } from '../lock.js';
import type { Paths } from '../paths.js';
import { readConfig, type ConfigView } from '../postfix/config-view.js';
import { PROBE_SERVICE, probeLine, publicListener } from '../postfix/listeners.js';
import type {
  ApplyParams,
  ApplyResult,
  FileChange,
  ParameterChange,
  ProofStep,
} from '../protocol.js';
import { postfixService } from '../services/postfix.js';
import { digestOf, readState, writeState, type HelperState, type Written } from '../state.js';
import { activate, activationFor } from './activate.js';
import { checkStage } from './check.js';
import { findDrift } from './drift.js';
import {
  checkSpace,
  closeJournal,
  openJournal,
  putBack,
  swap,
  type Replacement,
} from './journal.js';
import { planFiles } from './own-files.js';
import { makePlan, presentValue, type Plan } from './plan.js';
import { expectationOf, prove, proveOnce, PROVE_RESTORED_LIMIT_MS } from './prove.js';
import { proveOnShadow } from './shadow.js';
import { closeStage, fillStage, openStage, type Stage } from './stage.js';
import { buildTables, type BuiltTables } from './tables.js';

export interface ApplyContext {
  readonly paths: Paths;
  readonly registry: SectionRegistry;
  readonly open?: SystemView['open'];
}

/** Applies one change, or says in a `HelperError` at which stage it was refused; then all is as it was. */
export async function apply(params: ApplyParams, context: ApplyContext): Promise<ApplyResult> {
  const { paths } = context;
  await ensurePrivateFolder(paths.stateDir);
  const lock = await takeLock(`${paths.stateDir}/lock`);
  try {
    await recover(paths);
    return await applyLocked(params, context);
  } finally {
    await closeStage(paths);
    lock.release();
  }
}

/** Finishes what an earlier request left open: forward when its record was written, else back. */
export async function recover(paths: Paths): Promise<void> {
  const journal = await openJournal(paths);
  if (!journal) return;
  const { record } = await readState(paths);
  const done = record?.databaseId === journal.databaseId && record.change === journal.change;
  if (done) {
    await closeJournal(paths);
    return;
  }
  await putBack(paths);
  const service = postfixService(paths);
  await activate(service, 'reload');
}

async function applyLocked(params: ApplyParams, context: ApplyContext): Promise<ApplyResult> {
  const { paths, registry } = context;
  const clock = stopwatch();
  const state = await readState(paths);
  if (!params.dryRun) {
    const repeated = alreadyDone(params, state);
    if (repeated) return repeated;
  }
  const folder = await openStage(paths);
  const present = await readConfig(folder, paths, context.open);
  const overwrite = await acceptedDrift(params, state, present, context);
  const planned = makePlan(registry, params.sections, state, present, overwrite);
  const files = await planFiles(planned.files, paths, params.dryRun);
  const tables = await buildTables(planned.tables, paths);
  clock.lap('render');
  if (nothingToDo(planned, files, tables)) {
    const result = { ...emptyResult('unchanged'), timing: clock.laps };
    if (!params.dryRun) await writeState(paths, nextState(params, state, planned, present, result));
    return result;
  }
  const plan = withProbe(planned, present);
  const stage = await fillStage(folder, plan, present, paths);
  clock.lap('stage');
  const service = postfixService(paths);
  const wasRunning = await service.running();
  const [, before] = await Promise.all([
    checkStage(stage, present.warnings, paths),
    wasRunning && !params.dryRun ? proveOnce(paths, expectationOf(present)) : [],
  ]);
  clock.lap('check');
  const report = {
    parameters: reportParameters(plan, present),
    files: reportFiles(stage, files, tables, paths),
  };
  const how = activationFor(present, stage.view);
  if (params.dryRun) {
    return { status: 'preview', ...report, activation: how, proof: [], timing: clock.laps };
  }
  if (dangerOf(planned) === 'delivery') {
    await proveOnShadow(stage, paths);
    clock.lap('shadow');
  }
  const replacements = [...stagedFiles(stage, paths), ...files, ...tables.replacements];
  await checkSpace(replacements);
  await swap(paths, params, replacements);
  clock.lap('swap');
  try {
    const activation = await activate(service, how);
    clock.lap('activate');
    const proof = judge(await prove(paths, expectationOf(stage.view)), before);
    clock.lap('prove');
    const result: ApplyResult = {
      status: 'applied',
      ...report,
      activation,
      proof,
      timing: clock.laps,
    };
    await writeState(paths, nextState(params, state, plan, stage.view, result));
    await closeJournal(paths);
    return result;
  } catch (cause) {
    throw await rolledBack(cause, params, state, present, context);
  }
}

/** Applying a change twice does nothing the second time; an older one, or another database's, is refused. */
function alreadyDone(params: ApplyParams, { record }: HelperState): ApplyResult | null {
  if (!record) return null;
  const values = { ours: record.change, theirs: params.change };
  if (record.databaseId !== params.databaseId) {
    if (params.adopt) return null;
    throw new HelperError({
      stage: 'validate',
      key: 'helper.validate.foreignDatabase',
      values,
      detail: '',
      restored: true,
    });
  }
  if (record.change > params.change && !params.adopt) {
    throw new HelperError({
      stage: 'validate',
      key: 'helper.validate.outdated',
      values,
      detail: '',
      restored: true,
    });
  }
  if (record.change !== params.change || record.status === 'refused') return null;
  return record.result ?? emptyResult('unchanged');
}

/** Names whose hand edits may be overwritten. Throws at stage `drift` when one was not agreed to as it is now. */
async function acceptedDrift(
  params: ApplyParams,
  state: HelperState,
  present: ConfigView,
  { paths, registry }: ApplyContext,
): Promise<ReadonlySet<string>> {
  const drift = await findDrift(
    state,
    present,
    paths,
    registry,
    new Set(Object.keys(params.sections)),
  );
  const open = drift.filter((entry) => params.overwrite?.[entry.name] !== entry.digest);
  if (open.length > 0) {
    throw new HelperError({
      stage: 'drift',
      key: 'helper.drift.edited',
      values: { count: open.length, names: open.map(({ name }) => name).join(', ') },
      detail: open
        .map(({ name, ours, theirs }) => `${name}\n- ${ours ?? ''}\n+ ${theirs ?? ''}`)
        .join('\n'),
      restored: true,
    });
  }
  return new Set(drift.map(({ name }) => name));
}

function nothingToDo(plan: Plan, files: readonly Replacement[], tables: BuiltTables): boolean {
  const { parameters, master, masterOptions } = plan;
  const edits = parameters.size + master.size + masterOptions.size;
  return edits + files.length + tables.replacements.length === 0;
}

function dangerOf({ touched, settings }: Plan): Danger {
  const dangers = touched.map(({ section, before }) =>
    section.danger?.(before, settings[section.id]),
  );
  return dangers.includes('delivery') ? 'delivery' : 'none';
}

/** The probe listener follows the public one. */
function withProbe(plan: Plan, present: ConfigView): Plan {
  const line = probeLine(publicListener(present.master));
  if (line === present.masterService(PROBE_SERVICE)) return plan;
  return { ...plan, master: new Map(plan.master).set(PROBE_SERVICE, line) };
}

function stagedFiles(stage: Stage, paths: Paths): Replacement[] {
  const status = { uid: 0, gid: 0, mode: 0o644 };
  const all: Replacement[] = [
    { file: `${paths.configDir}/main.cf`, content: stage.after.main, status, backdated: true },
    { file: `${paths.configDir}/master.cf`, content: stage.after.master, status },
  ];
  const changed = [
    stage.before.main !== stage.after.main,
    stage.before.master !== stage.after.master,
  ];
  return all.filter((_, index) => changed[index]);
}

/** Faults that were there before are told, new ones are fatal. */
function judge(after: readonly ProofStep[], before: readonly ProofStep[]): readonly ProofStep[] {
  const failedBefore = new Set(before.filter((step) => !step.ok).map((step) => step.key));
  const steps = after.map((step) =>
    !step.ok && failedBefore.has(step.key) ? { ...step, tolerated: true } : step,
  );
  const fatal = steps.find((step) => !step.ok && !step.tolerated);
  if (!fatal) return steps;
  throw new HelperError({
    stage: 'prove',
    key: `helper.${fatal.key}`,
    values: fatal.values,
    detail: fatal.detail,
    restored: false,
  });
}

/** Puts everything back, waits until the running Postfix shows it, and turns the cause into the answer. */
async function rolledBack(
  cause: unknown,
  params: ApplyParams,
  state: HelperState,
  present: ConfigView,
  { paths }: ApplyContext,
): Promise<HelperError> {
  const first = asHelperError(cause, 'activate');
  try {
    await putBack(paths);
    await activate(postfixService(paths), 'reload');
    const steps = await prove(paths, expectationOf(present), PROVE_RESTORED_LIMIT_MS);
    const well = steps.every((step) => step.ok || step.key === 'proof.listener');
    const failure = { ...first.toFailure(), restored: well };
    await writeState(paths, { ...state, record: recordOf(params, { status: 'refused', failure }) });
    return new HelperError(failure, { cause });
  } catch (second) {
    return new HelperError(
      {
        stage: 'rollback',
        key: 'helper.rollback.failed',
        values: { stage: first.stage },
        detail: `${first.detail}\n${String(second)}`,
        restored: false,
      },
      { cause },
    );
  }
}

function asHelperError(cause: unknown, stage: HelperStage): HelperError {
  if (cause instanceof HelperError) return cause;
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new HelperError(
    { stage, key: `helper.${stage}.failed`, values: {}, detail, restored: false },
    { cause },
  );
}

function nextState(
  params: ApplyParams,
  state: HelperState,
  plan: Plan,
  view: ConfigView,
  result: ApplyResult,
): HelperState {
  const parameters: Record<string, string | null> = { ...state.written.parameters };
  for (const name of plan.baseline.keys()) {
    if (!plan.lists.has(name)) parameters[name] = presentValue(view, name);
  }
  const master: Record<string, string | null> = { ...state.written.master };
  for (const name of plan.master.keys()) master[name] = view.masterService(name);
  const files: Record<string, string> = { ...state.written.files };
  for (const [name, file] of plan.files) {
    if (file) files[name] = digestOf(file.content);
    else Reflect.deleteProperty(files, name);
  }
  const written: Written = {
    parameters,
    lists: { ...state.written.lists, ...Object.fromEntries(plan.lists) },
    master,
    files,
  };
  const status = result.status === 'applied' ? 'applied' : 'unchanged';
  return { sections: plan.settings, written, record: recordOf(params, { status, result }) };
}

function recordOf(
  params: ApplyParams,
  outcome: Pick<NonNullable<HelperState['record']>, 'status' | 'failure' | 'result'>,
): NonNullable<HelperState['record']> {
  const { databaseId, change, sections } = params;
  const digest = digestOf(JSON.stringify(sections));
  return { databaseId, change, digest, at: new Date().toISOString(), ...outcome };
}

function reportParameters(plan: Plan, present: ConfigView): ParameterChange[] {
  return [...plan.parameters].map(([name, after]) => ({
    name,
    before: presentValue(present, name),
    after,
  }));
}

function reportFiles(
  stage: Stage,
  files: readonly Replacement[],
  tables: BuiltTables,
  paths: Paths,
): FileChange[] {
  const texts = [
    { path: `${paths.configDir}/main.cf`, before: stage.before.main, after: stage.after.main },
    {
      path: `${paths.configDir}/master.cf`,
      before: stage.before.master,
      after: stage.after.master,
    },
  ].filter(({ before, after }) => before !== after);
  return [
    ...texts.map(({ path, before, after }): FileChange => {
      const diff = createTwoFilesPatch(path, path, before, after, '', '', { context: 2 });
      return { path, diff, summary: 'changed' };
    }),
    ...files.map(reportFile),
    ...tables.changed.map(({ file, secret }): FileChange => {
      return { path: file, diff: '', summary: secret ? 'secret' : 'changed' };
    }),
  ];
}

function reportFile({ file, content, before = null, secret }: Replacement): FileChange {
  if (secret) return { path: file, diff: '', summary: 'secret' };
  const after = typeof content === 'string' ? content : '';
  const diff = createTwoFilesPatch(file, file, before ?? '', after, '', '', { context: 2 });
  const summary = content === null ? 'removed' : before === null ? 'created' : 'changed';
  return { path: file, diff, summary };
}

function emptyResult(status: ApplyResult['status']): ApplyResult {
  return { status, parameters: [], files: [], activation: 'none', proof: [], timing: {} };
}

function stopwatch(): { readonly laps: Record<string, number>; lap(name: string): void } {
  const laps: Record<string, number> = {};
  let last = performance.now();
  return {
    laps,
    lap: (name) => {
      const now = performance.now();
      laps[name] = Math.round(now - last);
      last = now;
    },
  };
}
