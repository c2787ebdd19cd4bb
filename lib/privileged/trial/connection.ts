/**
 * Tries the smarthost with settings that need not be saved: connection, encryption, login, sender and recipient, up to
 * the point where the message would be handed over. It is Postfix' own probe (`sendmail -bv`, ADDRESS_VERIFICATION_README).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { HelperError } from '../../errors.js';
import type { SectionRegistry } from '../../sections/registry.js';
import type { SmarthostSettings } from '../../smarthost/schema.js';
import { makePlan } from '../apply/plan.js';
import { fillStage } from '../apply/stage.js';
import type { Paths } from '../paths.js';
import { readConfig, type ConfigView } from '../postfix/config-view.js';
import { parseMasterLine } from '../postfix/master.js';
import type { Secrets } from '../secrets.js';
import { readState } from '../state.js';
import { spokenLines } from './dialogue.js';
import {
  openTrialFolder,
  removeFolder,
  startTrialInstance,
  type TrialInstance,
} from './instance.js';
import { judgeDelivery, type Verdict } from './verdict.js';

/** How long the server may take for all of it, in milliseconds. Postfix itself would wait for minutes. */
export const TRIAL_LIMIT_MS = 60_000;
const LOOK_EVERY_MS = 60;

/**
 * Every address is somewhere else, so that the message takes the way to outside whoever it is for; no copies, no
 * filters; and what Postfix would write to the sender about it is thrown away.
 */
const CONFINED = [
  'mydestination=',
  'relay_domains=',
  'transport_maps=',
  'virtual_alias_domains=',
  'virtual_alias_maps=',
  'virtual_mailbox_domains=',
  'always_bcc=',
  'recipient_bcc_maps=',
  'sender_bcc_maps=',
  'content_filter=',
  'non_smtpd_milters=',
  'smtpd_milters=',
  'smtp_fallback_relay=',
  'internal_mail_filter_classes=bounce',
  'header_checks=static:DISCARD',
  'delay_warning_time=0',
  // The dialogue is logged, and what is thought of the certificate; a resumed session would not say it again.
  'debug_peer_list=0.0.0.0/0 [::]/0',
  'debug_peer_level=1',
  'smtp_tls_loglevel=1',
  'smtp_tls_session_cache_database=',
];

export interface TrialOrder {
  readonly settings: SmarthostSettings;
  readonly sender: string;
  readonly recipient: string;
}

export interface TrialResult extends Verdict {
  /** What was said, login starred: `> ` is us, `< ` the server. */
  readonly dialogue: readonly string[];
  readonly milliseconds: number;
}

export interface TrialContext {
  readonly paths: Paths;
  readonly registry: SectionRegistry;
  readonly secrets: Secrets;
  readonly signal: AbortSignal;
}

/** Throws a `HelperError` when the settings are refused, or the trial cannot be made; what the server says is a result. */
export async function tryConnection(
  order: TrialOrder,
  { paths, registry, secrets, signal }: TrialContext,
): Promise<TrialResult> {
  const folder = await openTrialFolder(paths);
  let instance: TrialInstance | null = null;
  try {
    const present = await readConfig(folder, paths, secrets);
    const requested = { smarthost: order.settings };
    const plan = makePlan(registry, requested, await readState(paths), present);
    const stage = await fillStage(folder, plan, present, paths);
    const edits = confinement(stage.view);
    instance = await startTrialInstance(stage, paths, { tables: plan.tables, edits });
    const started = performance.now();
    await submit(instance, order, paths);
    const messages = await untilDecided(instance, signal);
    const spoken = spokenLines(messages);
    return {
      ...judgeDelivery(messages, spoken, order.settings.username !== ''),
      dialogue: spoken,
      milliseconds: Math.round(performance.now() - started),
    };
  } finally {
    instance?.space.close();
    await removeFolder(folder);
  }
}

/** The trial message itself is not thrown away. */
function confinement(view: ConfigView): readonly (readonly string[])[] {
  const pickup = view.master.find(({ line }) => parseMasterLine(line).command === 'pickup')?.name;
  const kept = `${pickup ?? ''}/receive_override_options=no_header_body_checks`;
  return [['-e', ...CONFINED], ...(pickup ? [['-P', kept]] : [])];
}

async function submit(
  { space, log }: TrialInstance,
  { sender, recipient }: TrialOrder,
  { configDir }: Paths,
): Promise<void> {
  const args = ['-C', configDir, '-bv', '-f', sender, '--', recipient];
  const answer = await space.run('/usr/sbin/sendmail', args);
  if (answer.code !== 0) throw failed(answer.stderr + (await log()));
}

/** What smtp(8) said, as soon as there is a final word, or when the time is over. */
async function untilDecided(instance: TrialInstance, signal: AbortSignal): Promise<string[]> {
  for (const end = Date.now() + TRIAL_LIMIT_MS; ; await sleep(LOOK_EVERY_MS)) {
    const log = await instance.log();
    const messages = deliveryMessages(log);
    if (messages.some((message) => / status=\w+ \(/.test(message))) return messages;
    const fatal = /: fatal: .*/.exec(log)?.[0];
    if (fatal !== undefined) throw failed(fatal);
    if (Date.now() > end) return messages;
    if (signal.aborted) throw failed('');
  }
}

/** Messages of the delivery agents, without time and process. */
function deliveryMessages(log: string): string[] {
  return log
    .split('\n')
    .flatMap((line) => /\/(?:smtp|error|retry)\[\d+\]: (.*)$/.exec(line)?.[1] ?? []);
}

function failed(detail: string): HelperError {
  const key = 'helper.run.trial';
  return new HelperError({ stage: 'run', key, values: {}, detail, restored: true });
}
