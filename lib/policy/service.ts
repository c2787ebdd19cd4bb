/** Policy: the settings, how the policy servers are, and what is wrong with them. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Helper } from '../client/helper.js';
import { HelperError } from '../errors.js';
import type { ResultOf } from '../privileged/actions/index.js';
import {
  createSettingsService,
  type SettingsParts,
  type SettingsService,
} from '../settings/service.js';
import type { Words } from '../words.js';
import { askedLists, NO_POLICY, policySchema, type PolicySettings } from './schema.js';
import { policyTitle } from './words.js';

/** How long a page waits for the helper, in milliseconds. */
const STATUS_TIMEOUT_MS = 8_000;
/** The overview shows what was seen so long ago at most, and asks anew in the background. Milliseconds. */
const STATUS_AGE_MS = 60_000;
/** How long it waits when nothing was seen yet, in milliseconds. */
const FIRST_LOOK_MS = 2_000;

export type PolicyStatus = ResultOf<'policy-status'>;

/** Something that was switched on and does not work. */
export interface PolicyTrouble extends Words {
  readonly severity: 'bad' | 'warn';
}

export interface PolicyService extends SettingsService<PolicySettings> {
  /** How the policy servers are now; null when the helper does not say. */
  status(): Promise<PolicyStatus | null>;
  /** Starts those that are wanted and do not answer. Throws `HelperError`. */
  start(actor: string): Promise<PolicyStatus>;
  /** What the overview tells. */
  troubles(): Promise<readonly PolicyTrouble[]>;
}

export function createPolicyService({
  helper,
  now = Date.now,
  ...parts
}: Pick<SettingsParts<PolicySettings>, 'db' | 'changes' | 'machine'> & {
  readonly helper: Helper | null;
  readonly now?: () => number;
}): PolicyService {
  const settings = createSettingsService<PolicySettings>({
    ...parts,
    section: 'policy',
    fallback: NO_POLICY,
    schema: policySchema,
    title: policyTitle,
  });
  let known: { readonly status: PolicyStatus; readonly at: number } | null = null;
  let asking: Promise<PolicyStatus | null> | null = null;

  const ask = async (): Promise<PolicyStatus | null> => {
    if (helper === null) return null;
    try {
      const options = { actor: 'pages', timeoutMs: STATUS_TIMEOUT_MS };
      const status = await helper.call('policy-status', {}, options);
      known = { status, at: now() };
      return status;
    } catch (error) {
      if (!(error instanceof HelperError)) throw error;
      return null;
    }
  };
  const status = (): Promise<PolicyStatus | null> => {
    asking ??= ask().finally(() => {
      asking = null;
    });
    return asking;
  };

  return {
    ...settings,
    status,
    async start(actor) {
      if (helper === null) throw new TypeError('there is no helper');
      const after = await helper.call('policy-start', {}, { actor });
      known = { status: after, at: now() };
      return after;
    },
    async save(wanted) {
      try {
        return await settings.save(wanted);
      } finally {
        known = null;
      }
    },
    async troubles() {
      const { settings: saved, source } = await settings.current();
      if (source !== 'saved' || !usesServers(saved)) return [];
      if (known === null) {
        await Promise.race([status(), sleep(FIRST_LOOK_MS, null, { ref: false })]);
      }
      if (known !== null && now() - known.at > STATUS_AGE_MS) void status().catch(() => undefined);
      return known === null ? [] : troublesOf(known.status);
    },
  };
}

function usesServers(settings: PolicySettings): boolean {
  return settings.greylisting || askedLists(settings).length > 0;
}

/** A list that is just being checked for the first time is no trouble yet. */
export function troublesOf({ servers, lists }: PolicyStatus): readonly PolicyTrouble[] {
  const down = servers.filter(({ answers }) => !answers);
  const dead = lists.filter(({ state }) => state !== 'good' && state !== 'waiting');
  return [
    ...down.map(({ name }) => ({
      severity: 'warn' as const,
      key: `policy.trouble.down.${name === 'postgrey' ? 'greylisting' : 'blockLists'}`,
      values: {},
    })),
    ...dead.map(({ zone, state }) => ({
      severity: 'warn' as const,
      key: `policy.trouble.list.${state}`,
      values: { zone },
    })),
  ];
}
