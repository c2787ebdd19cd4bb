/** How long a call of the helper is waited for, by the kind of its action. */
import type { ActionName } from '../privileged/actions/index.js';

/**
 * `look`: somebody waits for a page, and the helper reads what stands on it. Given up after `lookMs`; nothing changed.
 * `inquiry`: changes nothing either, but takes its time, such as a search, a download or a test connection.
 * `act`: something may change, and whoever hears nothing of it does not know whether it did.
 * The last two end by the helper's own limits, and are given up when it gives no sign of life: an inquiry as soon as a look,
 * something that may change after `silenceMs`.
 */
type Kind = 'look' | 'inquiry' | 'act';

const KINDS: Readonly<Record<ActionName, Kind>> = {
  apply: 'act',
  'bulk-door': 'look',
  'bulk-follow': 'inquiry',
  'contents-left': 'inquiry',
  describe: 'look',
  'dkim-keys': 'look',
  drift: 'look',
  encryption: 'look',
  'fetchmail-offers': 'look',
  'fetchmail-run': 'act',
  'fetchmail-status': 'look',
  'fetchmail-test': 'inquiry',
  fetchmailrc: 'look',
  'fetchmailrc-retire': 'act',
  keep: 'act',
  'packages-install': 'act',
  'packages-plan': 'inquiry',
  'policy-start': 'act',
  'policy-status': 'look',
  'postfix-start': 'act',
  'quarantine-act': 'act',
  'quarantine-clean': 'act',
  'quarantine-list': 'look',
  'quarantine-raw': 'inquiry',
  'quarantine-show': 'look',
  'queue-act': 'act',
  'queue-counts': 'look',
  'queue-list': 'inquiry',
  'queue-raw': 'inquiry',
  'queue-show': 'look',
  read: 'look',
  record: 'inquiry',
  'relay-check': 'inquiry',
  route: 'look',
  'route-report': 'inquiry',
  'security-repair': 'act',
  'security-status': 'look',
  'security-test': 'act',
  'security-update': 'act',
  'settings-left': 'look',
  'smarthost-test': 'inquiry',
  'system-aliases': 'look',
  'system-aliases-read': 'act',
  'table-edits': 'inquiry',
  takeover: 'look',
  'test-message': 'act',
  trace: 'inquiry',
};

/** In milliseconds. */
export interface Patience {
  readonly lookMs: number;
  readonly silenceMs: number;
}

/** Many times what a look takes on a busy machine. */
export const LOOK_LIMIT_MS = 20_000;

/** Longer than a small machine stands still while it swaps, because what is given up may be a save. */
const SILENCE_LIMIT_MS = 60_000;

export const PATIENCE: Patience = { lookMs: LOOK_LIMIT_MS, silenceMs: SILENCE_LIMIT_MS };

export interface CallLimits {
  /** For the whole call. */
  readonly totalMs: number;
  /** Without a sign of life. */
  readonly silenceMs: number;
  /** Whether everything is as it was before, even when no answer came. */
  readonly harmless: boolean;
}

export function limitsOf(
  action: string,
  params: Readonly<Record<string, unknown>>,
  { lookMs, silenceMs }: Patience,
): CallLimits {
  const kind = kindOf(action, params);
  return {
    totalMs: kind === 'look' ? lookMs : Infinity,
    silenceMs: kind === 'act' ? silenceMs : lookMs,
    harmless: kind !== 'act',
  };
}

/** An action that this side does not know is taken for one that changes something. */
function kindOf(action: string, params: Readonly<Record<string, unknown>>): Kind {
  if (action === 'apply' && params['dryRun'] === true) return 'inquiry';
  return Object.hasOwn(KINDS, action) ? KINDS[action as ActionName] : 'act';
}
