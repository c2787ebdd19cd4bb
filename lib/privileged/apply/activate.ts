/** Makes the running Postfix take the new configuration: only what changed, and only as much as it needs. */
import { HelperError } from '../../errors.js';
import type { MailLog } from '../mail-log.js';
import type { ConfigView } from '../postfix/config-view.js';
import type { ApplyResult, ProofStep } from '../protocol.js';
import type { Attempt, PostfixService } from '../services/postfix.js';

/** Parameters master(8) reads only when it starts (postconf(5): "stop and start Postfix"). */
const NEED_RESTART = ['inet_interfaces', 'inet_protocols', 'queue_directory', 'data_directory'];

export type Activation = ApplyResult['activation'];

/**
 * Tables need nothing, parameters and services a reload, addresses to listen on a restart; and so does a Postfix that
 * falls over what stands there now: master(8) waits a minute before it starts such a daemon again, reload or not.
 */
export function activationFor(
  before: ConfigView,
  after: ConfigView,
  proofBefore: readonly ProofStep[] = [],
): Exclude<Activation, 'start'> {
  const how = activationBetween(before, after);
  const falls = proofBefore.some(({ key, ok }) => key === 'proof.banner' && !ok);
  return how === 'reload' && falls ? 'restart' : how;
}

function activationBetween(before: ConfigView, after: ConfigView): Exclude<Activation, 'start'> {
  if (NEED_RESTART.some((name) => before.parameter(name) !== after.parameter(name)))
    return 'restart';
  const changed =
    text(before) !== text(after) ||
    before.master.map(({ line }) => line).join('\n') !==
      after.master.map(({ line }) => line).join('\n');
  return changed ? 'reload' : 'none';
}

function text(view: ConfigView): string {
  return [...view.set].map(([name, value]) => `${name}=${value}`).join('\n');
}

/** Lines of the log that say why a daemon does not run (msg_fatal(3), msg_panic(3), msg_error(3)). */
const FAULT = /: (?:fatal|panic|error): /;
/** How many of them are told. */
const MAX_FAULTS = 20;

/**
 * Throws at stage `activate` when the service does not come up or the reload is refused, with what was said meanwhile, in
 * the mail log too when there is one.
 */
export async function activate(
  service: PostfixService,
  how: Activation,
  log: MailLog | null = null,
): Promise<Activation> {
  if (!(await service.running())) {
    await mustBeUp(await service.start(), log);
    return 'start';
  }
  if (how === 'restart') await mustBeUp(await service.restart(), log);
  if (how === 'reload') {
    const answer = await service.reload();
    if (answer.code !== 0) throw failed('helper.activate.reload', {}, answer.stderr);
  }
  return how;
}

async function mustBeUp({ up, service, said }: Attempt, log: MailLog | null): Promise<void> {
  if (up) return;
  const lines = (await log?.lines().catch(() => [])) ?? [];
  const faults = lines.filter((line) => FAULT.test(line)).slice(-MAX_FAULTS);
  const detail = [said, ...faults].filter((text) => text !== '').join('\n');
  throw failed('helper.activate.start', { service }, detail);
}

function failed(key: string, values: Record<string, string>, detail: string): HelperError {
  return new HelperError({ stage: 'activate', key, values, detail, restored: false });
}
