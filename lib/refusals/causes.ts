/** Why this server turned something away, and whether an exception helps. Words stand under `refusals.cause.<id>.`. */
import type { Refusal } from '../trace/events.js';

/** What an exception can be made for. */
export type Exceptable = 'ip' | 'address' | 'domain';

interface CauseFacts {
  readonly id: string;
  /** Put off: a proper server comes again. */
  readonly passing: boolean;
  /** An exception for one of these lets the next one in; none where that is not how it is put right. */
  readonly exceptions: readonly Exceptable[];
}

const BY_CLIENT: readonly Exceptable[] = ['ip', 'address', 'domain'];
const BY_SENDER: readonly Exceptable[] = ['address', 'domain', 'ip'];

/** In the order in which pages list causes of the same number. */
export const REFUSAL_CAUSES = [
  { id: 'other', passing: false, exceptions: [] },
  { id: 'greylisted', passing: true, exceptions: BY_CLIENT },
  { id: 'blockList', passing: false, exceptions: BY_CLIENT },
  { id: 'spf', passing: false, exceptions: BY_CLIENT },
  { id: 'spam', passing: false, exceptions: BY_SENDER },
  { id: 'virus', passing: false, exceptions: [] },
  { id: 'banned', passing: false, exceptions: [] },
  { id: 'policy', passing: false, exceptions: BY_CLIENT },
  { id: 'accessRule', passing: false, exceptions: [] },
  { id: 'contentRule', passing: false, exceptions: [] },
  { id: 'screen', passing: true, exceptions: [] },
  { id: 'unknownUser', passing: false, exceptions: [] },
  { id: 'relayDenied', passing: false, exceptions: [] },
  { id: 'senderDomain', passing: false, exceptions: BY_SENDER },
  { id: 'recipientDomain', passing: false, exceptions: [] },
  { id: 'clientName', passing: false, exceptions: ['ip'] },
  { id: 'helo', passing: false, exceptions: ['ip'] },
  { id: 'tooLarge', passing: false, exceptions: [] },
  { id: 'tlsNeeded', passing: false, exceptions: [] },
  { id: 'login', passing: false, exceptions: [] },
  { id: 'rate', passing: true, exceptions: [] },
  { id: 'disk', passing: true, exceptions: [] },
  { id: 'ourFault', passing: true, exceptions: [] },
  { id: 'syntax', passing: false, exceptions: [] },
] as const satisfies readonly CauseFacts[];

export type RefusalCause = (typeof REFUSAL_CAUSES)[number]['id'];

const FACTS: ReadonlyMap<string, CauseFacts> = new Map(
  REFUSAL_CAUSES.map((facts): [string, CauseFacts] => [facts.id, facts]),
);

export function factsOf(cause: RefusalCause): CauseFacts {
  return FACTS.get(cause) ?? { id: cause, passing: false, exceptions: [] };
}

export function isRefusalCause(text: string): text is RefusalCause {
  return FACTS.has(text);
}

/** The first rule that fits decides; words as Postfix 3 and the policy servers of Debian say them, in lower case. */
const RULES: readonly (readonly [RefusalCause, RegExp])[] = [
  ['greylisted', /greylist|graylist/],
  ['spf', /\bspf\b|sender policy framework|openspf|open-spf/],
  [
    'blockList',
    /blocked using|service unavailable; (?:client|sender|helo|unverified client)|\brbl\b|dnsbl|block ?list|spamhaus|spamcop/,
  ],
  ['virus', /\binfected\b|\bvirus\b|malware/],
  ['banned', /\bbanned\b/],
  ['spam', /\bspam\b|\bube\b|unsolicited bulk/],
  ['relayDenied', /relay access denied|relaying denied/],
  [
    'unknownUser',
    /user unknown|unknown user|undeliverable address|unverified recipient|mailbox unavailable/,
  ],
  [
    'rate',
    /too many (?:connections|recipients|messages|errors|new tls)|rate limit|concurrency|count limit exceeded/,
  ],
  ['disk', /insufficient system storage/],
  ['tooLarge', /size exceeds|size limit|too (?:big|large)/],
  ['tlsNeeded', /must issue a starttls/],
  [
    'login',
    /sasl .*authentication failed|authentication (?:failed|credentials)|sender address rejected: not (?:logged|owned)/,
  ],
  [
    'senderDomain',
    /sender address rejected: (?:domain not found|need fully|malformed dns|unverified)|sender address rejected: undeliverable/,
  ],
  ['recipientDomain', /recipient address rejected: (?:domain not found|need fully|malformed dns)/],
  ['clientName', /client host rejected: cannot find your/],
  ['helo', /helo command rejected|command rejected: (?:host not found|need fully|invalid name)/],
  [
    'ourFault',
    /server configuration (?:error|problem)|temporary lookup failure|queue file write error|service temporarily unavailable|internal error|cannot (?:find|verify) your|mail server temporarily/,
  ],
  [
    'syntax',
    /syntax|bad (?:address|command|sender|recipient)|null bytes|bare <?lf|improper (?:use|command)|protocol error|commands? out of sequence/,
  ],
  ['accessRule', /access denied/],
];

/** The cause of a refusal, by who refused and in which words. */
export function refusalCause({
  reply,
  by,
  stage,
}: Pick<Refusal, 'reply' | 'by' | 'stage'>): RefusalCause {
  const words = reply.toLowerCase();
  // postscreen(8) lets nobody in at the first visit after its deeper tests, and says just this.
  if (by === 'postscreen' && /service currently unavailable|protocol error/.test(words))
    return 'screen';
  if (by === 'cleanup') return 'contentRule';
  const known = RULES.find(([, pattern]) => pattern.test(words))?.[0];
  if (known !== undefined) return known;
  if (/^4\d\d 4\.[35]/.test(words)) return 'ourFault';
  // What a policy server or an access table answers stands behind the address it was asked about.
  if (/: (?:recipient|sender) address rejected: |: client host rejected: /.test(words))
    return 'policy';
  return stage === 'CONNECT' && by === 'postscreen' ? 'screen' : 'other';
}
