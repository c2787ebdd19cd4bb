/** The scanners: their settings, the chain they form, and what puts it right. */
import type { Helper } from '../client/helper.js';
import { noHelper } from '../changes/failures.js';
import { HelperError } from '../errors.js';
import type { ActionName, ParamsOf, ResultOf } from '../privileged/actions/index.js';
import {
  createSettingsService,
  type SettingsParts,
  type SettingsService,
} from '../settings/service.js';
import { findGaps, type Gap } from './chain.js';
import type { PackageName } from './packages.js';
import { SECURITY_DEFAULTS, securitySchema, type SecuritySettings } from './schema.js';
import { createTasks, type Task, type Tasks, type Work } from './tasks.js';
import { securityTitle } from './words.js';
import type { Repair, SelfTest, Update } from './work.js';

/** How long a page waits for the helper, in milliseconds. */
const LOOK_TIMEOUT_MS = 10_000;

export type ScannerStatus = ResultOf<'security-status'>;
export type PackagePlan = ResultOf<'packages-plan'>;
/** Puts the chain right, fetches newer signatures or rules, or installs what is missing. */
export type ChainTask = Task<
  'repair' | 'update' | 'install',
  ResultOf<'security-repair'> | ResultOf<'security-update'> | ResultOf<'packages-install'>
>;
export type SelfTestOrder = ParamsOf<'security-test'>;
export type SelfTestResult = ResultOf<'security-test'>;
/** Known by whom it was sent to. */
export type SelfTestTask = Task<string, SelfTestResult>;

export interface Chain {
  /** As it is now; null when the helper does not say. */
  readonly status: ScannerStatus | null;
  readonly gaps: readonly Gap[];
  readonly failure: HelperError | null;
}

export interface SecurityService extends SettingsService<SecuritySettings> {
  chain(): Promise<Chain>;
  readonly tasks: Tasks<ChainTask['kind'], Result<ChainTask>>;
  /** The tests of each scanner. */
  readonly tests: Readonly<Record<SelfTest, Tasks<string, SelfTestResult>>>;
  /** Starts to put these parts right, and proves the chain; gives the id of the task, null while another is under way. */
  repair(parts: readonly Repair[], actor: string): string | null;
  /** Starts to fetch newer ones, through the proxy when there is one; gives what `repair` does. */
  update(what: Update, proxy: string | null, actor: string): string | null;
  /** What apt would install; throws `HelperError`. */
  plan(names: readonly PackageName[], actor: string): Promise<PackagePlan>;
  /** Starts to install them; gives what `repair` does. */
  install(names: readonly PackageName[], actor: string): string | null;
  /** Starts to send a mail that the scanner has to find; gives what `repair` does. */
  test(order: SelfTestOrder, actor: string): string | null;
  close(): Promise<void>;
}

type Result<Of> = Of extends Task<unknown, infer Found> ? Found : never;

export function createSecurityService({
  helper,
  now = () => new Date(),
  ...parts
}: Pick<SettingsParts<SecuritySettings>, 'db' | 'changes' | 'machine'> & {
  readonly helper: Helper | null;
  readonly now?: () => Date;
}): SecurityService {
  const settings = createSettingsService<SecuritySettings>({
    ...parts,
    section: 'security',
    fallback: SECURITY_DEFAULTS,
    schema: securitySchema,
    title: securityTitle,
  });
  const tasks: SecurityService['tasks'] = createTasks();
  const tests: SecurityService['tests'] = { spam: createTasks(), virus: createTasks() };

  const chain = async (): Promise<Chain> => {
    if (helper === null) return { status: null, gaps: [], failure: noHelper() };
    try {
      const options = { actor: 'pages', timeoutMs: LOOK_TIMEOUT_MS };
      const status = await helper.call('security-status', {}, options);
      return { status, gaps: findGaps(status, now()), failure: null };
    } catch (error) {
      if (!(error instanceof HelperError)) throw error;
      return { status: null, gaps: [], failure: error };
    }
  };

  /** Asks the helper for what takes long, and hears how far it is. */
  const asked =
    <Name extends ActionName>(
      action: Name,
      params: ParamsOf<Name>,
      actor: string,
    ): Work<ResultOf<Name>> =>
    (onStep, signal) => {
      if (helper === null) throw noHelper();
      return helper.call(action, params, {
        ...{ actor, signal },
        onProgress: ({ done, total, row }) => onStep(String(row), done, total),
      });
    };

  return {
    ...settings,
    chain,
    tasks,
    tests,
    repair: (parts, actor) => tasks.start('repair', asked('security-repair', { parts }, actor)),
    update: (what, proxy, actor) =>
      tasks.start('update', asked('security-update', { what, proxy }, actor)),
    plan: (names, actor) => {
      if (helper === null) throw noHelper();
      return helper.call('packages-plan', { names }, { actor });
    },
    install: (names, actor) => tasks.start('install', asked('packages-install', { names }, actor)),
    test: (order, actor) =>
      tests[order.what].start(order.recipient, asked('security-test', order, actor)),
    async close() {
      await Promise.all([tasks, tests.spam, tests.virus].map((all) => all.close()));
    },
  };
}
