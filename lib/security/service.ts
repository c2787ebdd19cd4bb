/** The scanners: their settings, the chain they form, and what puts it right. */
import type { Helper } from '../client/helper.js';
import { noHelper } from '../changes/failures.js';
import { HelperError } from '../errors.js';
import type { ResultOf } from '../privileged/actions/index.js';
import {
  createSettingsService,
  type SettingsParts,
  type SettingsService,
} from '../settings/service.js';
import { findGaps, type Gap } from './chain.js';
import { SECURITY_DEFAULTS, securitySchema, type SecuritySettings } from './schema.js';
import { createTasks, type Tasks } from './tasks.js';
import { securityTitle } from './words.js';

/** How long a page waits for the helper, in milliseconds. */
const LOOK_TIMEOUT_MS = 10_000;
/** And a repair, in milliseconds: a little longer than the helper itself does. */
const REPAIR_TIMEOUT_MS = 620_000;
/** And a fetch. */
const UPDATE_TIMEOUT_MS = 1_340_000;

export type ScannerStatus = ResultOf<'security-status'>;
export type RepairPart = 'group' | 'freshclam' | 'clamav' | 'amavis';

export type UpdatePart = 'signatures' | 'rules';

export interface Chain {
  /** As it is now; null when the helper does not say. */
  readonly status: ScannerStatus | null;
  readonly gaps: readonly Gap[];
  readonly failure: HelperError | null;
}

export interface SecurityService extends SettingsService<SecuritySettings> {
  chain(): Promise<Chain>;
  readonly tasks: Tasks;
  /** Starts to put these parts right, and proves the chain; gives the id of the task, null while another is under way. */
  repair(parts: readonly RepairPart[], actor: string): string | null;
  /** Starts to fetch newer ones, through the proxy when there is one; gives what `repair` does. */
  update(what: UpdatePart, proxy: string | null, actor: string): string | null;
  close(): Promise<void>;
}

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
  const tasks = createTasks();

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

  return {
    ...settings,
    chain,
    tasks,
    repair: (wanted, actor) =>
      tasks.start('repair', (onStep, signal) => {
        if (helper === null) throw noHelper();
        return helper.call(
          'security-repair',
          { parts: wanted },
          {
            ...{ actor, signal, timeoutMs: REPAIR_TIMEOUT_MS },
            onProgress: ({ done, total, row }) => onStep(String(row), done, total),
          },
        );
      }),
    update: (what, proxy, actor) =>
      tasks.start('update', (onStep, signal) => {
        if (helper === null) throw noHelper();
        return helper.call(
          'security-update',
          { what, proxy },
          {
            ...{ actor, signal, timeoutMs: UPDATE_TIMEOUT_MS },
            onProgress: ({ done, total, row }) => onStep(String(row), done, total),
          },
        );
      }),
    close: () => tasks.close(),
  };
}
