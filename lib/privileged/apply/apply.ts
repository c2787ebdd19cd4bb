/**
 * The one safe apply: check again → render → compare → stage → native checks → journal → swap → activate → prove,
 * or everything back. See `journal.ts` for what a kill in the middle leaves behind.
 */
import { HelperError } from '../../errors.js';
import type { SectionRegistry } from '../../sections/registry.js';
import type { Danger } from '../../sections/section.js';
import { ensurePrivateFolder } from '../files.js';
import { takeLock } from '../lock.js';
import { openMailLog } from '../mail-log.js';
import type { Paths } from '../paths.js';
import { readConfig, type ConfigView } from '../postfix/config-view.js';
import { PROBE_SERVICE } from '../postfix/listeners.js';
import { inputsOfPostconf, recallPostconf } from '../postfix/remembered.js';
import { PROGRAM } from '../program.js';
import type { ApplyParams, ApplyResult, ProofStep } from '../protocol.js';
import type { Secrets } from '../secrets.js';
import { postfixService } from '../services/postfix.js';
import { readState, writeState, type HelperState } from '../state.js';
import { activate, activationFor, type Activation } from './activate.js';
import {
  abandonBuilds,
  beginBuilds,
  planContents,
  type EarlyBuilds,
  type PlannedContents,
} from './contents.js';
import { areAllEntries, type Receiving } from './contents-received.js';
import { planDaemons } from './daemons.js';
import { decidedAbout } from './decided.js';
import { planDirectives } from './directives.js';
import { findDrift } from './drift.js';
import { checkSpace, closeJournal, openJournal, swap, type Replacement } from './journal.js';
import { lookAtFiles } from './looked-files.js';
import { makeAndCheck } from './make-and-check.js';
import { planFiles } from './own-files.js';
import { makePlan, type Plan } from './plan.js';
import { isAboutPolicy, policyExpectationOf } from './policy-proof.js';
import { followPolicyFiles } from './policy-servers.js';
import {
  expectationOf,
  prove,
  PROVE_LIMIT_MS,
  PROVE_TABLES_LIMIT_MS,
  type RelayQuestions,
} from './prove.js';
import { recover } from './recover.js';
import { digestOfSettings, recordOf, stateAfter } from './remember.js';
import { emptyResult, reportFiles, reportParameters } from './report.js';
import { nameRows, requestedSettings } from './requested.js';
import { relayQuestions } from './relay-questions.js';
import { rolledBack, type Before } from './roll-back.js';
import { scanQuestions } from './scan-proof.js';
import { proveOnShadow } from './shadow.js';
import {
  closeStages,
  editsConfiguration,
  isApart,
  openStage,
  refuseEditedMeanwhile,
  type Stage,
} from './stage.js';
import { stopwatch } from './stopwatch.js';
import { buildTables, closeBuild, type BuiltTables } from './tables.js';
import { isAboutTls } from './tls-proof.js';

export interface ApplyContext {
  readonly paths: Paths;
  readonly registry: SectionRegistry;
  readonly secrets?: Secrets;
  /** Entries that come with the request. */
  readonly receiving: Receiving;
  /** Called once it is sure that something will be changed, before it is. */
  readonly changing: () => Promise<void>;
}

/** Applies one change, or says in a `HelperError` at which stage it was refused; then all is as it was. */
export async function apply(params: ApplyParams, context: ApplyContext): Promise<ApplyResult> {
  const { paths, registry } = context;
  await ensurePrivateFolder(paths.stateDir);
  const lock = await takeLock(`${paths.stateDir}/lock`);
  let builds: EarlyBuilds = new Map();
  try {
    await recover(paths, registry);
    const state = await readState(paths);
    const repeated = params.dryRun ? null : await alreadyDone(params, context.receiving, state);
    if (repeated) return repeated;
    builds = beginBuilds(context.receiving, registry, paths);
    return await applyLocked(params, { ...context, state, builds });
  } finally {
    // What cannot be removed now is removed at the next request: it must not turn a success into a failure.
    await abandonBuilds(builds).catch(() => undefined);
    await Promise.allSettled([closeStages(paths), closeBuild(paths)]);
    lock.release();
  }
}

async function applyLocked(
  params: ApplyParams,
  { state, builds, ...context }: ApplyContext & { state: HelperState; builds: EarlyBuilds },
): Promise<ApplyResult> {
  const { paths, registry } = context;
  const clock = stopwatch();
  const service = postfixService(paths);
  const inputs = inputsOfPostconf(paths);
  const folder = await openStage(paths);
  const recalled = recallPostconf(folder, inputs, paths);
  const asked = recalled.then(({ answers }) => answers);
  const reading = readConfig(folder, paths, context.secrets, asked);
  reading.catch(() => undefined);
  const { settings: wanted, checked } = requestedSettings(params, state, registry);
  const touched = new Set(Object.keys(wanted));
  const looked = lookAtFiles(state, paths, registry, touched);
  const drift = await findDrift(state, reading, paths, registry, touched, looked);
  const decided = decidedAbout(drift, params);
  const present = await reading;
  const plan = makePlan(registry, wanted, state, present, decided, { checked, program: PROGRAM });
  const files = [
    ...(await planFiles(plan.files, plan.sameFiles, paths)),
    ...planDirectives(plan.directives, paths),
  ];
  const tables = await buildTables(plan.tables, paths, decided);
  const { settings } = plan;
  const apart = isApart(plan, tables.replacements);
  const check = async () => {
    const wasRunning = await service.running();
    const daemons = await planDaemons(plan, files, paths);
    const order = { folder, plan, present, paths, files };
    return {
      wasRunning,
      daemons,
      ...(await makeAndCheck(order, wasRunning && !params.dryRun && !apart)),
    };
  };
  const planning = planContents(context.receiving, touched, {
    ...{ registry, state, settings, view: present, paths, builds },
  });
  // What is checked does not depend on the entries: while many of them come there is time for it.
  const early = areAllEntries(context.receiving) ? check() : null;
  if (early) context.receiving.digests.then(() => clock.lap('stream')).catch(() => undefined);
  // None is left behind, whichever fails.
  await Promise.allSettled([planning, early]);
  const contents = await planning;
  const { digests } = contents;
  const rows = nameRows(registry, touched);
  const named = { ...digests, ...rows };
  const found = { stamps: looked.stamps, rows };
  clock.lap('render');
  if (nothingToDo(plan, files, tables, contents)) {
    const result = { ...emptyResult('unchanged'), contents: named, timing: clock.laps };
    if (!params.dryRun) {
      if (decides(params)) await context.changing();
      const record = recordOf(params, digests, { status: 'unchanged', result });
      await writeState(paths, { ...stateAfter(state, plan, present, found), record });
      await (await recalled).keep();
    }
    return result;
  }
  const { wasRunning, daemons, stage, proofBefore } = await (early ?? check());
  clock.lap('check');
  const report = {
    parameters: reportParameters(plan, present),
    files: reportFiles(stage, files, [tables, contents], paths),
  };
  const how = activationFor(present, stage.view, proofBefore);
  if (params.dryRun) {
    const preview = { status: 'preview', ...report, activation: how, contents: digests } as const;
    return { ...preview, proof: [], timing: clock.laps };
  }
  if (dangerOf(plan) === 'delivery') {
    await proveOnShadow(stage, paths);
    clock.lap('shadow');
  }
  const staged = stagedFiles(stage, paths);
  const others = [...tables.replacements, ...contents.replacements];
  const replacements = [...files, ...staged, ...others];
  await checkSpace(paths, replacements);
  await refuseEditedMeanwhile(stage, files, paths);
  const follow = { wasRunning, activation: how, beside: daemons.before };
  await context.changing();
  const journal = await openJournal(paths, replacements, follow, contents.edits);
  const faults = faultsOf(proofBefore, present);
  const before: Before = { state, view: present, faults: apart ? null : faults };
  const log = await openMailLog(stage.view, paths).catch(() => null);
  const proven = async (activation: Activation): Promise<readonly ProofStep[]> => {
    const relay = relayQuestions(plan);
    const tolerated = tolerable(faults, relay);
    const { recipients } = contents;
    const policy = isAboutPolicy(plan) ? policyExpectationOf(stage.view, paths) : undefined;
    const expected = expectationOf(stage.view, paths, {
      ...{ recipients, relay, tls: isAboutTls(plan), scan: scanQuestions(plan) },
      ...(policy ? { policy } : {}),
    });
    const limit = activation === 'none' ? PROVE_TABLES_LIMIT_MS : PROVE_LIMIT_MS;
    return judge(await prove(paths, expected, limit, tolerated), tolerated);
  };
  try {
    // Whom Postfix is going to ask must be there first.
    await swap(files);
    await daemons.bringUp();
    await swap([...staged, ...others]);
    await contents.commit();
    clock.lap('swap');
    await followPolicyFiles(
      paths,
      replacements.map(({ file }) => file),
      isAboutPolicy(plan),
    );
    const activation = await activate(service, how, log);
    clock.lap('activate');
    const proof = apart && activation === 'none' ? [] : await proven(activation);
    await daemons.letGo();
    clock.lap('prove');
    const done = { status: 'applied', ...report, activation, proof, contents: named } as const;
    const result = { ...done, timing: clock.laps };
    const record = recordOf(params, digests, { status: 'applied', result });
    await commit(paths, {
      ...stateAfter(state, plan, stage.view, found),
      contents: await contents.applied(),
      record,
      swap: journal.id,
    });
    // From here on the change counts as done. A journal that cannot be closed now is closed at the next request.
    await closeJournal(paths, journal).catch(() => undefined);
    // An edit of main.cf or master.cf outdates them.
    if (stage.view === present) await (await recalled).keep();
    return result;
  } catch (cause) {
    throw await rolledBack(cause, params, digests, before, journal, paths);
  }
}

/**
 * Applying a change twice does nothing the second time; an older one, another one of the same number, or one of another
 * database is refused: then somebody has to compare and decide (`adopt`).
 */
async function alreadyDone(
  params: ApplyParams,
  receiving: Receiving,
  { record }: HelperState,
): Promise<ApplyResult | null> {
  if (!record) return null;
  const foreign = record.databaseId !== params.databaseId;
  const same = !foreign && record.change === params.change && record.status !== 'refused';
  if (same && record.digest === digestOfSettings(params, await receiving.drain())) {
    return record.result ?? emptyResult('unchanged');
  }
  if (params.adopt || (!foreign && !same && record.change <= params.change)) return null;
  throw new HelperError({
    stage: 'validate',
    key: foreign ? 'helper.validate.foreignDatabase' : 'helper.validate.outdated',
    values: { ours: record.change, theirs: params.change },
    detail: '',
    restored: true,
  });
}

/** Whether it says something that lasts even when no file changes: whose the machine is, what becomes of hand edits. */
function decides({ adopt, take, leave, overwrite }: ApplyParams): boolean {
  return [adopt, take, leave, overwrite].some((decision) => decision !== undefined);
}

function nothingToDo(
  plan: Plan,
  files: readonly Replacement[],
  tables: BuiltTables,
  contents: PlannedContents,
): boolean {
  const swapped = files.length + tables.replacements.length;
  return !editsConfiguration(plan) && swapped === 0 && contents.idle;
}

function dangerOf({ touched, settings }: Plan): Danger {
  const dangers = touched.map(({ section, before }) =>
    section.danger?.(before, settings[section.id]),
  );
  return dangers.includes('delivery') ? 'delivery' : 'none';
}

function stagedFiles(stage: Stage, paths: Paths): Replacement[] {
  const { before, after } = stage;
  const status = null;
  const main = { file: `${paths.configDir}/main.cf`, content: after.main, status, backdated: true };
  const master = { file: `${paths.configDir}/master.cf`, content: after.master, status };
  return [
    ...(before.main.equals(after.main) ? [] : [main]),
    ...(before.master.equals(after.master) ? [] : [master]),
  ];
}

/** A probe listener that this very change adds was no fault before: from now on it must answer. */
function faultsOf(before: readonly ProofStep[], present: ConfigView): ReadonlySet<string> {
  const hadProbe = present.masterService(PROBE_SERVICE) !== null;
  const failed = before.filter((step) => !step.ok).map((step) => step.key);
  return new Set(failed.filter((key) => hadProbe || key !== 'proof.listener'));
}

/** A change of who may relay must leave no open relay and no doubt about it, whatever there was before. */
function tolerable(faults: ReadonlySet<string>, { thorough }: RelayQuestions): ReadonlySet<string> {
  const never = thorough ? ['proof.listener', 'proof.stranger'] : [];
  return new Set([...faults].filter((key) => !never.includes(key)));
}

/** Faults that were there before are told, new ones are fatal. */
function judge(after: readonly ProofStep[], before: ReadonlySet<string>): readonly ProofStep[] {
  const steps = after.map((step) =>
    !step.ok && before.has(step.key) ? { ...step, tolerated: true } : step,
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

/** Writes the state that makes the change count as done. Throws at stage `journal`. */
async function commit(paths: Paths, state: HelperState): Promise<void> {
  try {
    await writeState(paths, state);
  } catch (cause) {
    throw new HelperError(
      {
        stage: 'journal',
        key: 'helper.journal.state',
        values: {},
        detail: String(cause),
        restored: false,
      },
      { cause },
    );
  }
}
