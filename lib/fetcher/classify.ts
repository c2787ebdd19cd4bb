/** Why a poll ended as it did: from fetchmail's exit status and words. Pure. Sources: fetchmail(1) EXIT CODES, its messages. */
import type { Counts } from './transcript.js';
import type { Outcome, PollResult } from './status.js';

/** The exit status of a poll that a limit on messages ended. */
export const LIMIT_REACHED = 13;

/** What fetchmail is told when our Postfix says nothing. */
export const NO_ANSWER = '451 4.3.0 The mail server here does not answer';

/** Providers that take no plain password of an account any more: an app password, or nothing, works there. */
const NO_BASIC_LOGIN =
  /(?:^|\.)(?:gmail\.com|googlemail\.com|google\.com|outlook\.com|office365\.com|office\.com|hotmail\.com|live\.com|yahoo\.com|aol\.com|icloud\.com|me\.com)$/i;
const BASIC_LOGIN_WORDS =
  /application-specific password|app password|basic ?auth\w* (?:is )?(?:disabled|blocked)|web ?login required|less secure|please log in via your web browser|OAUTH|modern authentication/i;

/** It says no for now, whoever asks (RFC 3206 4, RFC 2449 8.1.1, RFC 5530 3, and what providers write without such a code). */
const NOT_NOW =
  /(?:POP3|IMAP)< .*(?:\[(?:SYS\/TEMP|LOGIN-DELAY|UNAVAILABLE|SERVERBUG)\]|too many (?:simultaneous )?(?:connections|sessions)|temporar(?:y|ily)|try again later)/i;

/** Longest quotation of server or program, in characters. */
const MAX_DETAIL_CHARS = 300;

interface Rule {
  readonly outcome: Outcome;
  /** Exit statuses it may follow; all when it is not given. */
  readonly codes?: readonly number[];
  readonly words: RegExp;
}

/** The first that fits decides. */
const RULES: readonly Rule[] = [
  {
    outcome: 'certificateName',
    words: /(?:CommonName|certificate).*(?:mismatch|does not match)|Hostname mismatch/i,
  },
  {
    outcome: 'certificate',
    words:
      /certificate verif|certificate has expired|self[- ]signed certificate|unable to get (?:local )?issuer|fingerprints? do not match|Broken certification chain/i,
  },
  {
    outcome: 'noTls',
    words:
      /TLS is mandatory|STARTTLS.*(?:not (?:offered|advertised|supported)|required)|upgrade to TLS failed|no STLS|SSL_connect|SSL connection failed|wrong version number|unsupported protocol/i,
  },
  {
    outcome: 'unknownHost',
    words:
      /(?:getaddrinfo|couldn't resolve|can't resolve|Name or service not known|nodename nor servname|Temporary failure in name resolution)/i,
  },
  { outcome: 'timeout', words: /timeout after \d+ seconds|Connection timed out/i },
  { outcome: 'later', codes: [3, 9, 14], words: NOT_NOW },
  { outcome: 'mailboxBusy', codes: [9, 14], words: /./ },
  {
    outcome: 'login',
    codes: [3],
    words: /./,
  },
];

/** Statuses that say enough by themselves (fetchmail(1)). */
const BY_CODE: Readonly<Record<number, Outcome>> = {
  0: 'fetched',
  1: 'nothing',
  2: 'unreachable',
  3: 'login',
  4: 'protocol',
  5: 'settings',
  6: 'settings',
  7: 'protocol',
  8: 'alreadyFetching',
  9: 'mailboxBusy',
  10: 'awayHere',
  11: 'unknownHost',
  13: 'fetched',
  14: 'mailboxBusy',
};

export interface PollEnd {
  readonly code: number | null;
  /** Everything fetchmail said, as it may be shown. */
  readonly lines: readonly string[];
  readonly counts: Counts & { readonly fetched: number; readonly left: number };
  /** What our own Postfix said no to. */
  readonly refusals: readonly string[];
  /** The server that was asked. */
  readonly server: string;
  /** We ended it, because the fetcher itself is being stopped. */
  readonly stopped: boolean;
}

export function resultOf(end: PollEnd): PollResult {
  const { code, lines, counts } = end;
  const outcome = outcomeOf(end);
  const fine = outcome === 'fetched' || outcome === 'nothing';
  const detail = fine ? '' : detailOf(lines, outcome, end.refusals);
  return { outcome, code, ...counts, detail };
}

function outcomeOf(end: PollEnd): Outcome {
  const { code, lines, counts, stopped, refusals } = end;
  if (stopped) return 'stopped';
  if (code === 0 || code === LIMIT_REACHED)
    return refused(end) ?? (counts.fetched > 0 ? 'fetched' : 'nothing');
  if (code === 1) return refused(end) ?? 'nothing';
  if (code === null) return 'unknown';
  const text = lines.join('\n');
  if (code === 10) return hereRefused(refusals) ?? 'awayHere';
  const found = RULES.find(
    ({ codes, words }) => (codes === undefined || codes.includes(code)) && words.test(text),
  );
  const outcome = found?.outcome ?? BY_CODE[code] ?? 'unknown';
  if (outcome === 'login') return isBasicLogin(end.server, text) ? 'basicLogin' : 'login';
  const began = counts.waiting !== null;
  return outcome === 'unreachable' && began ? 'dropped' : outcome;
}

function isBasicLogin(server: string, text: string): boolean {
  return NO_BASIC_LOGIN.test(server) || BASIC_LOGIN_WORDS.test(text);
}

/** A recipient that was refused is no fault while the message went to another one. */
function refused({ counts, refusals }: PollEnd): Outcome | null {
  return counts.left > 0 ? hereRefused(refusals) : null;
}

/** What our own Postfix said no to; null when it took everything. */
function hereRefused(refusals: readonly string[]): Outcome | null {
  if (refusals.length === 0) return null;
  if (refusals.includes(NO_ANSWER)) return 'awayHere';
  const full = refusals.some((reply) =>
    /^452|insufficient system storage|queue file write/i.test(reply),
  );
  return full ? 'diskHere' : 'refusedHere';
}

/** The line that says why, best first. */
function detailOf(lines: readonly string[], outcome: Outcome, refusals: readonly string[]): string {
  const [refusal] = refusals;
  if (refusal !== undefined && (outcome === 'refusedHere' || outcome === 'diskHere')) {
    return refusal.slice(0, MAX_DETAIL_CHARS);
  }
  const wanted = [
    /certificate verif|mismatch|fingerprint.*match/i,
    /(?:IMAP|POP3|ODMR|ETRN)< (?:A\d+ (?:NO|BAD)|-ERR|\d{3}.*(?:fail|denied))/,
    /^fetchmail: (?:connection to|getaddrinfo|timeout|Authorization|socket|SSL|couldn't|SMTP|.*TLS)/i,
    /(?:IMAP|POP3)< \* BYE/,
    /^name \d+: /,
  ];
  for (const words of wanted) {
    const line = lines.findLast((one) => words.test(one));
    if (line !== undefined) return line.replace(/^fetchmail: /, '').slice(0, MAX_DETAIL_CHARS);
  }
  return '';
}
