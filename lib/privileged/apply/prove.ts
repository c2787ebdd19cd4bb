/**
 * Proof by behaviour: what the running Postfix says and does, not what a tool returned.
 * Banner, name, size, a local recipient accepted, a stranger's relay refused, a friend's accepted.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Paths } from '../paths.js';
import type { ProofStep } from '../protocol.js';
import { SmtpDialogue, type SmtpReply } from '../smtp-dialogue.js';
import type { ConfigView } from '../postfix/config-view.js';
import { publicListener, reachable } from '../postfix/listeners.js';
import { relaySection } from '../../relay-subnets/section.js';
import {
  proveScan,
  scanExpectationOf,
  type ScanExpectation,
  type ScanQuestions,
} from './scan-proof.js';
import {
  askAs,
  askAsStranger,
  canAsk,
  OUTSIDE_RECIPIENT,
  strangersOutside,
  type StrangerAnswer,
} from './strangers.js';
import { PROBE_ADDRESS } from '../../policy/places.js';
import { NO_POLICY_QUESTIONS, provePolicy, type PolicyExpectation } from './policy-proof.js';
import { proveTls, tlsExpectationOf, type TlsExpectation } from './tls-proof.js';

/** How long the running Postfix has to show a change, in milliseconds. */
export const PROVE_LIMIT_MS = 20_000;
/** How long it has to show a change of tables, which need no reload, in milliseconds. */
export const PROVE_TABLES_LIMIT_MS = 5_000;
/** How long it has after everything was put back: a daemon that came up badly needs its time. */
export const PROVE_RESTORED_LIMIT_MS = 60_000;
/** How long what did not hold before the change either may take to hold now, in milliseconds. */
const FAULT_LIMIT_MS = 1_000;
/**
 * A stranger who was refused proves nothing when a daemon answered that has not heard of the change yet; so who may relay
 * is asked twice, this many milliseconds apart.
 */
const SECOND_LOOK_MS = 250;
/** How long one answer may take. A policy server behind it may ask the DNS. */
const REPLY_TIMEOUT_MS = 15_000;
/** How long an LMTP server has to greet. A save does not wait longer for one that is not there. */
const LMTP_TIMEOUT_MS = 3_000;

export interface Expectation {
  /** Name the banner begins with. */
  readonly name: string;
  /** Bytes; 0 is unlimited. */
  readonly size: number;
  /** An address that must be accepted; null when there is no local domain. */
  readonly localRecipient: string | null;
  /** Further addresses that must be accepted. */
  readonly recipients: readonly string[];
  readonly listener: { readonly host: string; readonly port: number } | null;
  /** Addresses that must not be able to send through us. */
  readonly strangers: readonly string[];
  /** Networks that should be able to, newly let in. */
  readonly friends: readonly Friend[];
  readonly tls: TlsExpectation;
  readonly policy: PolicyExpectation;
  /** What the scanners must find, when they are what changes. */
  readonly scan: ScanExpectation | null;
  /** The LMTP server that local mail goes to, if it does. */
  readonly lmtp: { readonly host: string; readonly port: number } | null;
}

/** A network and an address in it. */
export interface Friend {
  readonly network: string;
  readonly address: string;
}

/** Who is asked about relaying: one stranger at any change, all of them and the new friends when that is what changes. */
export interface RelayQuestions {
  readonly thorough: boolean;
  readonly friends: readonly Friend[];
}
const EVERY_DAY: RelayQuestions = { thorough: false, friends: [] };

/** What is asked beyond what any change asks. */
export interface Questions {
  /** Addresses that must be accepted. */
  readonly recipients?: readonly string[];
  readonly relay?: RelayQuestions;
  /** Whether encryption and login are what changes. */
  readonly tls?: boolean;
  /** What is to be asked when a change is about strangers. */
  readonly policy?: PolicyExpectation;
  /** What the scanners are to find, when they are what changes. */
  readonly scan?: ScanQuestions | null;
}

/** What the configuration in `view` promises. */
export function expectationOf(
  view: ConfigView,
  paths: Paths,
  {
    recipients = [],
    relay = EVERY_DAY,
    tls = false,
    policy = NO_POLICY_QUESTIONS,
    scan = null,
  }: Questions = {},
): Expectation {
  const name = view.parameter('myhostname');
  const local = firstLocalDomain(view);
  const listener = publicListener(view.master);
  const allowed = relaySection.read(view).settings.networks;
  const protocols = view.parameter('inet_protocols');
  const strangers = strangersOutside(allowed, protocols);
  return {
    name: view.isSet('myhostname') && !name.includes('$') ? name : '',
    size: Number(view.parameter('message_size_limit')),
    localRecipient: local === null ? null : `root@${local}`,
    recipients,
    listener: listener && reachable(listener, view),
    strangers: strangers.slice(0, relay.thorough ? strangers.length : 1),
    friends: relay.friends.filter(({ address }) => canAsk(address, protocols)),
    tls: tlsExpectationOf(view, paths, tls),
    policy,
    scan: scan && scanExpectationOf(view, scan),
    lmtp: lmtpServer(view),
  };
}

function lmtpServer(view: ConfigView): Expectation['lmtp'] {
  const transports = `${view.parameter('mailbox_transport')} ${view.parameter('mailbox_transport_maps')}`;
  const match = /lmtp:inet:(?:\[([^\]]+)\]|([^:\s]+)):(\d+)/.exec(transports);
  return match ? { host: match[1] ?? match[2] ?? '', port: Number(match[3]) } : null;
}

export function firstLocalDomain(view: ConfigView): string | null {
  const elements = view.parameter('mydestination').split(/[\s,]+/);
  return (
    elements.find((element) => /^[a-z0-9][a-z0-9.-]*$/i.test(element)) ??
    (elements.includes('$myhostname') && view.isSet('myhostname')
      ? view.parameter('myhostname')
      : null)
  );
}

/**
 * Runs the proof until every step holds or the limit is over; then the last round is the answer. For `faults`, the keys
 * of steps that did not hold before either, it waits no longer than `FAULT_LIMIT_MS`.
 */
export async function prove(
  paths: Paths,
  expected: Expectation,
  limitMs: number,
  faults: ReadonlySet<string>,
): Promise<readonly ProofStep[]> {
  const started = Date.now();
  let sure = false;
  for (let pause = 10; ; pause = Math.min(pause * 2, 500)) {
    const steps = await proveOnce(paths, expected);
    const open = steps.filter((step) => !step.ok && !step.tolerated);
    const limit = open.every((step) => faults.has(step.key)) ? FAULT_LIMIT_MS : limitMs;
    if (Date.now() + pause > started + limit) return steps;
    if (open.length === 0 && (sure || expected.strangers.length < 2)) return steps;
    sure = open.length === 0;
    await sleep(sure ? SECOND_LOOK_MS : pause);
  }
}

/** One round. Never throws: what does not answer is a step that does not hold. */
export async function proveOnce(
  paths: Paths,
  expected: Expectation,
): Promise<readonly ProofStep[]> {
  const [port, behaviour, tls, scan, lmtp, policy] = await Promise.all([
    askPort(expected),
    askProbe(paths, expected),
    proveTls(expected.tls),
    proveScan(expected.scan),
    askLmtp(expected),
    provePolicy(expected.policy),
  ]);
  return [...port, ...behaviour, ...tls, ...scan, ...lmtp, ...policy];
}

async function askPort({ listener, name }: Expectation): Promise<ProofStep[]> {
  if (!listener) return [];
  const values = { ...listener, name };
  try {
    const { dialogue, banner } = await SmtpDialogue.open(listener, REPLY_TIMEOUT_MS);
    await dialogue.close();
    const ok = banner.code === 220 && saysName(banner, name);
    return [step('proof.banner', values, ok, banner.lines.join('\n'))];
  } catch (error) {
    return [step('proof.banner', values, false, String(error))];
  }
}

/** Mail for a groupware server that does not answer waits and is not lost, so this is told and not fatal. */
async function askLmtp({ lmtp }: Expectation): Promise<ProofStep[]> {
  if (!lmtp) return [];
  try {
    const { dialogue, banner } = await SmtpDialogue.open(lmtp, LMTP_TIMEOUT_MS);
    await dialogue.close();
    return [tolerated(step('proof.lmtp', lmtp, banner.code === 220, said(banner)))];
  } catch (error) {
    return [tolerated(step('proof.lmtp', lmtp, false, String(error)))];
  }
}

function tolerated(one: ProofStep): ProofStep {
  return one.ok ? one : { ...one, tolerated: true };
}

/** A banner of the administrator's own making need not hold the name. */
function saysName(banner: SmtpReply, name: string): boolean {
  const said = /^220[ -](\S+)/.exec(banner.lines[0] ?? '')?.[1]?.toLowerCase();
  return name === '' || said === name.toLowerCase();
}

async function askProbe(paths: Paths, expected: Expectation): Promise<ProofStep[]> {
  const socket = `${paths.queueDir}/private/mailserver-probe`;
  const steps: ProofStep[] = [];
  let dialogue: SmtpDialogue | null = null;
  try {
    const opened = await SmtpDialogue.open({ path: socket }, REPLY_TIMEOUT_MS);
    dialogue = opened.dialogue;
    const hello = await dialogue.say('EHLO localhost');
    const size = announcedSize(hello);
    steps.push(
      step('proof.size', { bytes: expected.size }, size === expected.size, hello.lines.join('\n')),
    );
    await dialogue.say('MAIL FROM:<>');
    if (expected.localRecipient !== null) {
      const local = await dialogue.say(`RCPT TO:<${expected.localRecipient}>`);
      steps.push(
        step('proof.local', { recipient: expected.localRecipient }, reached(local), said(local)),
      );
    }
    for (const recipient of expected.recipients) {
      const reply = await dialogue.say(`RCPT TO:<${recipient}>`);
      steps.push(step('proof.recipient', { recipient }, reached(reply), said(reply)));
    }
    const friend = await dialogue.say(`RCPT TO:<${OUTSIDE_RECIPIENT}>`);
    steps.push(step('proof.friend', {}, reached(friend), said(friend)));
    steps.push(...(await askOthers(dialogue, expected)));
  } catch (error) {
    const detail = [...(dialogue?.transcript ?? []), String(error)].join('\n');
    steps.push(step('proof.listener', {}, false, detail));
  } finally {
    await dialogue?.close();
  }
  return steps;
}

/** Everybody who is not us, last: there is no way back from being somebody else. */
async function askOthers(
  dialogue: SmtpDialogue,
  { strangers, friends, localRecipient, policy }: Expectation,
): Promise<ProofStep[]> {
  const steps: ProofStep[] = [];
  for (const { network, address } of friends) {
    const reply = await askAs(dialogue, address, localRecipient ?? '');
    steps.push(tolerated(step('proof.network', { network }, reached(reply), said(reply))));
  }
  if (policy.stranger && localRecipient !== null) {
    const reply = await askAs(dialogue, PROBE_ADDRESS, '', localRecipient);
    steps.push(step('proof.letIn', { recipient: localRecipient }, reached(reply), said(reply)));
  }
  const answers: StrangerAnswer[] = [];
  for (const address of strangers) answers.push(await askAsStranger(dialogue, address));
  const open = answers.filter(({ outcome }) => outcome === 'open');
  const shown = (open.length > 0 ? open : answers.slice(0, 1)).map(
    ({ address, reply }) => `${address}: ${reply}`,
  );
  const values = { address: open[0]?.address ?? '' };
  if (answers.length > 0) {
    steps.push(step('proof.stranger', values, open.length === 0, shown.join('\n')));
  }
  return steps;
}

/** 450 is what a policy server says to wait: the way is open (RFC 6647). */
function reached(reply: SmtpReply): boolean {
  return reply.code === 250 || reply.code === 251 || reply.code === 450;
}

function said(reply: SmtpReply): string {
  return reply.lines.join('\n');
}

/** SIZE of the EHLO reply (RFC 1870); Postfix announces none, or 0, when there is no limit. */
function announcedSize(hello: SmtpReply): number {
  const line = hello.lines.find((one) => /^250[ -]SIZE\b/i.test(one));
  return Number(/SIZE\s+(\d+)/i.exec(line ?? '')?.[1] ?? 0);
}

function step(
  key: string,
  values: Readonly<Record<string, string | number>>,
  ok: boolean,
  detail: string,
): ProofStep {
  return { key, values, ok, detail };
}
