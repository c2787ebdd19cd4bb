/** What smtp(8) says about a delivery, sorted by what somebody can do about it. Its words are those of Postfix 3.5 to 3.10. */
import { mechanismOf, offeredMechanisms } from './dialogue.js';

/** How the connection was encrypted; `trust` is Postfix' own word for what it thinks of the certificate (TLS_README). */
export interface Encryption {
  readonly trust: 'verified' | 'trusted' | 'untrusted' | 'anonymous';
  readonly protocol: string;
  readonly cipher: string;
}

export type VerdictCause =
  | 'works'
  | 'noLoginOffered'
  | 'unknownHost'
  | 'noNameServer'
  | 'connectionRefused'
  | 'unreachable'
  | 'noGreeting'
  | 'turnedAway'
  | 'lost'
  | 'tooSlow'
  | 'tlsMissing'
  | 'tlsNotWrapped'
  | 'tlsFailed'
  | 'certificateExpired'
  | 'certificateName'
  | 'certificateSelfSigned'
  | 'certificateUntrusted'
  | 'certificateBad'
  | 'loginRefused'
  | 'loginReadable'
  | 'loginMechanism'
  | 'senderRefused'
  | 'recipientRefused'
  | 'wait'
  | 'loop'
  | 'other';

export interface Verdict {
  /** Whether mail would have been taken. */
  readonly ok: boolean;
  readonly cause: VerdictCause;
  readonly encryption: Encryption | null;
  /** The mechanism of the login, null without one. */
  readonly mechanism: string | null;
  /** Host, address and port that were reached last; '' when none was. */
  readonly server: string;
  /** The words of Postfix, or of the server as Postfix repeats them. */
  readonly detail: string;
}

/** Patterns in the order in which they are asked; the first one that fits is the cause. */
const CAUSES: readonly (readonly [RegExp, VerdictCause])[] = [
  [/loops back to myself/i, 'loop'],
  [/Host not found, try again|Server failure|name service error.*try again/i, 'noNameServer'],
  [/Host or domain name not found|Name service error|valid hostname|bad address/i, 'unknownHost'],
  [/Connection refused/i, 'connectionRefused'],
  [/timed out while receiving the initial server greeting/i, 'noGreeting'],
  [
    /Connection timed out|No route to host|Network is unreachable|Operation timed out/i,
    'unreachable',
  ],
  [/TLS is required, but was not offered/i, 'tlsMissing'],
  [/Server certificate not (?:verified|trusted)/i, 'certificateBad'],
  [/Cannot start TLS|refused to start TLS|TLS.*(?:failure|unavailable)/i, 'tlsFailed'],
  [/no mechanism available|no compatible authentication mechanisms/i, 'loginMechanism'],
  [/SASL authentication (?:failed|failure)/i, 'loginRefused'],
  [/in reply to MAIL FROM/i, 'senderRefused'],
  [/in reply to RCPT TO/i, 'recipientRefused'],
  [/refused to talk to me/i, 'turnedAway'],
  [/timed out while/i, 'tooSlow'],
  [/lost connection/i, 'lost'],
];

const CERTIFICATE_FAULTS: readonly (readonly [RegExp, VerdictCause])[] = [
  [/expired/i, 'certificateExpired'],
  [/hostname mismatch|not matched|num=62/i, 'certificateName'],
  [/self[- ]signed certificate$/i, 'certificateSelfSigned'],
  [/untrusted issuer|issuer certificate|self[- ]signed certificate in/i, 'certificateUntrusted'],
];

/**
 * Judges one delivery. `messages` are what smtp(8) logged about it, `spoken` the dialogue, `wantsLogin` whether a
 * login is set up. Without a final status in the messages it is `tooSlow`.
 */
export function judgeDelivery(
  messages: readonly string[],
  spoken: readonly string[],
  wantsLogin: boolean,
): Verdict {
  const final = messages.findLast((message) => / status=\w+ \(/.test(message)) ?? '';
  const [, server = '', status = '', detail = ''] =
    /relay=(\S*?), .*?status=(\w+) \((.*)\)$/.exec(final) ?? [];
  const mechanism = mechanismOf(spoken);
  const ok = status === 'deliverable' || status === 'sent';
  const common = { encryption: encryptionOf(messages), mechanism, detail };
  const reached = server === 'none' ? '' : server;
  if (ok) {
    const cause = wantsLogin && mechanism === null ? 'noLoginOffered' : 'works';
    return { ok, cause, server: reached, ...common };
  }
  const cause = final === '' ? 'tooSlow' : causeOf(detail, messages, spoken, common.encryption);
  return { ok, cause, server: reached, ...common };
}

function causeOf(
  detail: string,
  messages: readonly string[],
  spoken: readonly string[],
  encryption: Encryption | null,
): VerdictCause {
  const cause = CAUSES.find(([pattern]) => pattern.test(detail))?.[1] ?? 'other';
  if (cause === 'certificateBad') return certificateFault(messages);
  if (cause === 'tlsFailed' && messages.some((message) => /wrong version number/i.test(message))) {
    return 'tlsNotWrapped';
  }
  if (cause === 'loginMechanism' && encryption === null) {
    return offeredMechanisms(spoken).some(isReadable) ? 'loginReadable' : cause;
  }
  const refused = cause === 'senderRefused' || cause === 'recipientRefused';
  return refused && / said: 4\d\d/.test(detail) ? 'wait' : cause;
}

/** Mechanisms that send the password as it is (RFC 4616). */
function isReadable(mechanism: string): boolean {
  return mechanism === 'PLAIN' || mechanism === 'LOGIN';
}

function certificateFault(messages: readonly string[]): VerdictCause {
  const said = messages.findLast((message) => /certificate verification failed for/i.test(message));
  return CERTIFICATE_FAULTS.find(([pattern]) => pattern.test(said ?? ''))?.[1] ?? 'certificateBad';
}

function encryptionOf(messages: readonly string[]): Encryption | null {
  const pattern =
    /^(Verified|Trusted|Untrusted|Anonymous) TLS connection established to \S+: (\S+) with cipher (\S+)/;
  const match = pattern.exec(messages.findLast((message) => pattern.test(message)) ?? '');
  if (!match) return null;
  const [, trust = '', protocol = '', cipher = ''] = match;
  return { trust: trust.toLowerCase() as Encryption['trust'], protocol, cipher };
}
