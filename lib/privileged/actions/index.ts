/**
 * Everything the web side can ask for. There is no other way in.
 *
 * Each action is loaded when it is asked for: every call starts a process, and pays for what that process loads.
 */
import type { Action } from './action.js';

const loaders = {
  apply: async () => (await import('./apply.js')).applyAction,
  'bulk-door': async () => (await import('./bulk-door.js')).bulkDoorAction,
  'bulk-follow': async () => (await import('./bulk-follow.js')).bulkFollowAction,
  'contents-left': async () => (await import('./contents-left.js')).contentsLeftAction,
  describe: async () => (await import('./describe.js')).describeAction,
  'dkim-keys': async () => (await import('./dkim-keys.js')).dkimKeysAction,
  drift: async () => (await import('./drift.js')).driftAction,
  encryption: async () => (await import('./encryption.js')).encryptionAction,
  'fetchmail-offers': async () => (await import('./fetchmail-offers.js')).fetchmailOffersAction,
  'fetchmail-run': async () => (await import('./fetchmail-run.js')).fetchmailRunAction,
  'fetchmail-status': async () => (await import('./fetchmail-status.js')).fetchmailStatusAction,
  'fetchmail-test': async () => (await import('./fetchmail-test.js')).fetchmailTestAction,
  fetchmailrc: async () => (await import('./fetchmailrc.js')).fetchmailrcAction,
  'fetchmailrc-retire': async () =>
    (await import('./fetchmailrc-retire.js')).fetchmailrcRetireAction,
  keep: async () => (await import('./keep.js')).keepAction,
  'packages-install': async () => (await import('./packages-install.js')).packagesInstallAction,
  'packages-plan': async () => (await import('./packages-plan.js')).packagesPlanAction,
  'policy-start': async () => (await import('./policy-start.js')).policyStartAction,
  'policy-status': async () => (await import('./policy-status.js')).policyStatusAction,
  'postfix-start': async () => (await import('./postfix-start.js')).postfixStartAction,
  'quarantine-act': async () => (await import('./quarantine-act.js')).quarantineActAction,
  'quarantine-clean': async () => (await import('./quarantine-clean.js')).quarantineCleanAction,
  'quarantine-list': async () => (await import('./quarantine-list.js')).quarantineListAction,
  'quarantine-raw': async () => (await import('./quarantine-raw.js')).quarantineRawAction,
  'quarantine-show': async () => (await import('./quarantine-show.js')).quarantineShowAction,
  'queue-act': async () => (await import('./queue-act.js')).queueActAction,
  'queue-counts': async () => (await import('./queue-counts.js')).queueCountsAction,
  'queue-list': async () => (await import('./queue-list.js')).queueListAction,
  'queue-raw': async () => (await import('./queue-raw.js')).queueRawAction,
  'queue-show': async () => (await import('./queue-show.js')).queueShowAction,
  read: async () => (await import('./read.js')).readAction,
  record: async () => (await import('./record.js')).recordAction,
  'relay-check': async () => (await import('./relay-check.js')).relayCheckAction,
  route: async () => (await import('./route.js')).routeAction,
  'route-report': async () => (await import('./route-report.js')).routeReportAction,
  'security-repair': async () => (await import('./security-repair.js')).securityRepairAction,
  'security-status': async () => (await import('./security-status.js')).securityStatusAction,
  'security-test': async () => (await import('./security-test.js')).securityTestAction,
  'security-update': async () => (await import('./security-update.js')).securityUpdateAction,
  'settings-left': async () => (await import('./settings-left.js')).settingsLeftAction,
  'smarthost-test': async () => (await import('./smarthost-test.js')).smarthostTestAction,
  'system-aliases': async () => (await import('./system-aliases.js')).systemAliasesAction,
  'system-aliases-read': async () =>
    (await import('./system-aliases-read.js')).systemAliasesReadAction,
  'table-edits': async () => (await import('./table-edits.js')).tableEditsAction,
  takeover: async () => (await import('./takeover.js')).takeoverAction,
  'test-message': async () => (await import('./test-message.js')).testMessageAction,
  trace: async () => (await import('./trace.js')).traceAction,
};

export type ActionName = keyof typeof loaders;
export type Actions = { [Name in ActionName]: Awaited<ReturnType<(typeof loaders)[Name]>> };
export type ParamsOf<Name extends ActionName> =
  Actions[Name] extends Action<infer Params, unknown> ? Params : never;
export type ResultOf<Name extends ActionName> = Awaited<ReturnType<Actions[Name]['run']>>;

/** Names of all actions, sorted. */
export const ACTION_NAMES = Object.keys(loaders).sort() as readonly ActionName[];

/** The action of that name; null when there is none. */
export async function loadAction(name: string): Promise<Action | null> {
  if (!Object.hasOwn(loaders, name)) return null;
  return (await loaders[name as ActionName]()) as Action;
}
