/** The stage, made and checked before anything that runs sees it. */
import type { Paths } from '../paths.js';
import { askPostconf, type ConfigView } from '../postfix/config-view.js';
import type { ProofStep } from '../protocol.js';
import { checkFetchmail } from './check-fetchmail.js';
import { checkScanners } from './check-scanners.js';
import { checkStage, refuseNewWarnings } from './check.js';
import type { Replacement } from './journal.js';
import type { Plan } from './plan.js';
import { checkNewPorts } from './ports-free.js';
import { expectationOf, proveOnce } from './prove.js';
import {
  editsConfiguration,
  hasRightProbe,
  readFiles,
  readStage,
  writeStage,
  type Stage,
} from './stage.js';
import { isAboutPolicy } from './policy-proof.js';
import { isAboutTls } from './tls-proof.js';

export interface StageOrder {
  readonly folder: string;
  readonly plan: Plan;
  readonly present: ConfigView;
  readonly paths: Paths;
  /** Whole files that change with it. */
  readonly files?: readonly Replacement[];
}

/**
 * The stage, written, read back and checked, and how the running Postfix behaves before the change. What does not wait for
 * each other is done at the same time: on two processors that is a third of the whole save.
 */
export async function makeAndCheck(
  { folder, plan, present, paths, files = [] }: StageOrder,
  running: boolean,
): Promise<{ stage: Stage; proofBefore: readonly ProofStep[] }> {
  const before = await readFiles(folder);
  // Without an edit there is nothing in main.cf and master.cf that Postfix has not checked before.
  const edited = editsConfiguration(plan) || !hasRightProbe(present);
  const { warnings: warned } =
    present.warnings === null && edited ? await askPostconf(folder) : present;
  const written = writeStage(folder, plan, present, paths);
  const read = written.then(() => readStage(folder, before, plan, present, paths));
  const changing = plan.parameters.keys();
  const checked = edited
    ? checkStage({ folder, written, changing, present, paths })
    : Promise.resolve();
  const scanners = checkScanners(files, paths);
  const fetchmail = checkFetchmail(files, paths);
  const expected = expectationOf(present, paths, {
    tls: isAboutTls(plan),
    ...(isAboutPolicy(plan) ? { policy: { servers: [], stranger: true } } : {}),
  });
  const proved = running ? proveOnce(paths, expected) : Promise.resolve([]);
  // None is left behind, whichever of them fails; what is wrong with the stage itself is said first.
  await Promise.allSettled([read, checked, scanners, fetchmail, proved]);
  const stage = await read;
  await checked;
  await scanners;
  await fetchmail;
  await checkNewPorts(present, stage.view);
  refuseNewWarnings(warned ?? '', stage.view.warnings ?? '');
  return { stage, proofBefore: await proved };
}
