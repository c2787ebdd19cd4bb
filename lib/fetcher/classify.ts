/** Why a poll ended as it did: from fetchmail's exit status and words. Pure. Sources: fetchmail(1) EXIT CODES, its messages. */
import type { Counts } from './transcript.js';
import type { Outcome, PollResult } from './status.js';

/** What flock(1) ends with when somebody else holds the lock (-E). */
export const LOCKED = 75;

/** Providers that take no plain password of an account any more: an app password, or nothing, works there. */
const NO_BASIC_LOGIN =
  /(?:^|\.)(?:gmail\.com|googlemail\.com|google\.com|outlook\.com|office365\.com|office\.com|hotmail\.com|live\.com|yahoo\.com|aol\.com|icloud\.com|me\.com)$/i;
const BASIC_LOGIN_WORDS =
  /application-specific password|app password|basic ?auth\w* (?:is )?(?:disabled|blocked)|web ?login required|less secure|please log in via your web browser|OAUTH|modern authentication/i;

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
  [LOCKED]: 'alreadyFetching',
};

export interface PollEnd {
  readonly code: number | null;
  /** Everything fetchmail said, as it may be shown. */
  readonly lines: readonly string[];
  readonly counts: Counts;
  /** The server that was asked. */
  readonly server: string;
  /** We ended it, because the fetcher itself is being stopped. */
  readonly stopped: boolean;
}

export function resultOf(end: PollEnd): PollResult {
  const { code, lines, counts } = end;
  const outcome = outcomeOf(end);
  const fine = outcome === 'fetched' || outcome === 'nothing';
  return { outcome, code, ...counts, detail: fine ? '' : detailOf(lines, outcome) };
}

function outcomeOf(end: PollEnd): Outcome {
  const { code, lines, counts, stopped } = end;
  if (stopped) return 'stopped';
  if (code === LOCKED) return 'alreadyFetching';
  if (code === 0 || code === 13)
    return hereRefused(lines) ?? (counts.fetched > 0 ? 'fetched' : 'nothing');
  if (code === 1) return hereRefused(lines) ?? 'nothing';
  if (code === null) return 'unknown';
  const text = lines.join('\n');
  if (code === 10) return hereRefused(lines) ?? 'awayHere';
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

/** What our own Postfix said no to; null when it took everything. */
function hereRefused(lines: readonly string[]): Outcome | null {
  const refusal = lines.find((line) => /(?:SMTP|LMTP)< [45]\d\d/.test(line));
  if (refusal === undefined) return null;
  return /(?:SMTP|LMTP)< 452|insufficient system storage|queue file write/i.test(refusal)
    ? 'diskHere'
    : 'refusedHere';
}

/** The line that says why, best first. */
function detailOf(lines: readonly string[], outcome: Outcome): string {
  const here = outcome === 'refusedHere' || outcome === 'diskHere';
  const wanted = here
    ? [/(?:SMTP|LMTP)< [45]\d\d/]
    : [
        /certificate verif|mismatch|fingerprint.*match/i,
        /(?:IMAP|POP3|ODMR|ETRN)< (?:A\d+ (?:NO|BAD)|-ERR|\* BYE|\d{3}.*(?:fail|denied))/,
        /^fetchmail: (?:connection to|getaddrinfo|timeout|Authorization|socket|SSL|couldn't|SMTP|.*TLS)/i,
        /^name \d+: /,
      ];
  for (const words of wanted) {
    const line = lines.findLast((one) => words.test(one));
    if (line !== undefined) return line.replace(/^fetchmail: /, '').slice(0, 300);
  }
  return '';
}
