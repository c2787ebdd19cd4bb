/**
 * What mail servers are known to say when they do not take a message, by cause. The rules are tried from the top, the
 * first that fits decides: marks that only one product or cause uses stand first, word families last. All is lower case.
 */
import type { Cause } from './causes.js';

export type Rule = readonly [cause: Cause, pattern: RegExp];

/** Says of a mailbox or its owner. */
const OWNER = String.raw`(?:mail ?box|inbox|maildir|mail ?folder|account|user|recipient|bo[iî]te|buz[oó]n|casella|caixa|postfach)`;
/** Names whom the message is for. */
const ADDRESSEE = String.raw`(?:user|recipient|rcpt|mail ?box|address|addressee|account|person|customer|destinataires?|destinatario|usuario|benutzer|empf[aä]nger)`;
const SENDER = String.raw`(?:sender|envelope from|mail from|mailfrom|[eé]metteur|remitente|absender)`;

/** Marks of one product, or words that can mean one thing only. */
const MARKS: readonly Rule[] = [
  [
    'loop',
    /too many hops|hop count|(?:mail|forwarding|routing|message) loop|loop(?:ing|s back)|loop count/,
  ],
  [
    'scanner',
    /virus_scan|error in processing, id=|tempfailed, id=|could not be scanned|during fwd-connect/,
  ],
  ['greylisted', /gr[ae]y-?\s?list/],
  ['greylisted', /internal resources? (?:is |are )?temporarily unavailable/],
  ['greylisted', /policy rejection- please try later|is not yet authorized to deliver mail from/],
  [
    'verifying',
    /unverified address|verification in progress|verify callout|being verified|trying verify/,
  ],
  ['busy', /queue quota exceeded|initialization failure/],
  [
    'rateLimited',
    /throttling failure|maximum credits exceeded|(?:daily|hourly|sending|message) quota exceeded/,
  ],
  ['senderAuthentication', /unauthenticated email|no valid '.*' dns record/],
  ['relayDenied', /received as unauthenticated, incoming to a recipient domain/],
  [
    'tls',
    /starttls (?:command first|is required|required)|starttls-not-supported|must support tls|tlsa-invalid/,
  ],
  ['tls', /\btls\b.{0,25}required|(?:encryption|tls) is required|tls not available/],
  ['tls', /certificate[- ](?:validation|expired|specified|verif)/],
  ['smarthostLogin', /authenti(?:fi)?cation.{0,5}(?:is )?(?:required|requise|failed|credentials)/],
  [
    'smarthostLogin',
    /please authenticate|not authenticated|requires authentication|you don't authenticate/,
  ],
  [
    'ourName',
    /reverse[- ](?:dns|host ?name|lookup|mapping)|\bptr\b|\brdns\b|ip name lookup failed/,
  ],
  [
    'ourName',
    /cannot (?:find|resolve) your (?:reverse )?(?:host ?name|address)|unresolvable relay host/,
  ],
  [
    'ourName',
    /(?:helo|ehlo) (?:command )?(?:rejected|must|denied|name)|(?:bad|invalid) helo|dns:nr|unverifyable sending ip/,
  ],
];

/** Lists, reputation, and who vouches for the sender. */
const TRUST: readonly Rule[] = [
  [
    'blockListed',
    /block(?:ed)?[- ]?list(?:s|ed)?\b|black ?list|blocked using|deferred using|dnsbls?\b|\brbls?\b|surbl\.org/,
  ],
  [
    'blockListed',
    /spamhaus|spamcop|sorbs\.net|abuseat|barracuda(?:central| reputation)|dsbl\.org|dsn\.rfc/,
  ],
  [
    'blockListed',
    /banned send|\(bl\)$|spam ips blocked|liste noire|schwarze liste|blocked by earthlink/,
  ],
  ['blockListed', /\blisted (?:at|in|on|by|as abusive)\b|currently sending spam/],
  [
    'reputation',
    /unusual (?:rate|amount|sending rate)|user complaints|spam complaints|unexpected volume/,
  ],
  [
    'reputation',
    /reputation|permanently deferred|deferred - 4\.16|temporarily blocked - spam|too many spams?\b/,
  ],
  [
    'reputation',
    /\[(?:gl|ts|tss)\d\d\]|\((?:dyn|rly):[a-z]\d\)|ipcheck\.proofpoint|csi\.cloudmark/,
  ],
  ['senderAuthentication', /\bspf\b|\bdkim\b|\bdmarc\b|sender policy framework/],
];

/** Sizes and numbers. */
const LIMITS: readonly Rule[] = [
  [
    'tooLarge',
    /(?:message|msg|mail (?:size|file|length))(?: file| header)?(?: size| length)?,? .{0,30}(?:exceeds|exceeded|too (?:big|large|long))/,
  ],
  [
    'tooLarge',
    /(?:exceed\w*|maximum|max) .{0,20}message size|message size limits?|size per transaction/,
  ],
  ['tooLarge', /too large for|taille limite/],
  [
    'mailboxFull',
    /\bover ?-?(?:disk )?quota|quota (?:is |usage |limit |has been )*(?:exceeded|full|reached|violat)|overquota/,
  ],
  [
    'mailboxFull',
    /exceed\w* .{0,25}(?:quota|disk space|storage|receiving limits)|exceeded storage allocation/,
  ],
  [
    'mailboxFull',
    new RegExp(
      `${OWNER}.{0,40}(?:\\bfull\\b|out of storage|size limit|disk space limit|pleine|lleno|piena|cheia|\\bvoll)`,
    ),
  ],
  [
    'mailboxFull',
    new RegExp(
      `${OWNER}.{0,30}(?:exceed\\w* (?:its|the|their)|would exceed|used up|not have enough|reached)`,
    ),
  ],
  [
    'mailboxFull',
    /not enough (?:storage|disk)? ?space in|space has been used up|too many messages on the server|mailbox limit/,
  ],
  [
    'rateLimited',
    /too many (?!hops|failures|bad|errors(?! from your ip))\S*|too much mail|too frequent|rate[- ]?limit|throttl|try again slower/,
  ],
  [
    'rateLimited',
    /(?:rate|limits?|volume|maximum number) .{0,40}(?:reached|exceeded|exceeds)|limit exceeded/,
  ],
  [
    'rateLimited',
    /exceeded (?:the|a|your) .{0,20}(?:max|limit|rate)|frequency limited|excessive volume|slow down/,
  ],
  [
    'rateLimited',
    /receiving mail (?:at a rate|too quickly)|limits for how many|trop de connexions|has exceeded the max emails/,
  ],
];

/** Addresses. */
const ADDRESSES: readonly Rule[] = [
  ['domainUnknown', /recipient address rejected: domain not found|dns domain \S+ does not exist/],
  ['policy', /sender address blocked|bad sender ip/],
  [
    'senderRefused',
    new RegExp(
      `${SENDER}.{0,40}(?:reject|not allowed|invalid|empty|den(?:y|ied)|not owned|does not (?:exist|resolve)|must exist|verify failed|refus)`,
    ),
  ],
  ['senderRefused', new RegExp(`(?:invalid|bad|unroutable|unknown|null|verify) ${SENDER}`)],
  [
    'senderRefused',
    /domain of sender|sendasdenied|not allowed to send as|fully qualified email address/,
  ],
  [
    'relayDenied',
    /relay access denied|relay(?:ing)?\b.{0,15}(?:not (?:permitted|allowed)|denied|prohibited)/,
  ],
  [
    'relayDenied',
    /unable to relay|not allowed to relay|list of allowed rcpthosts|not in whitelist for rcpt/,
  ],
  [
    'userUnknown',
    new RegExp(
      `${ADDRESSEE}.{0,60}(?:unknown|not (?:be )?(?:found|exist)|(?:does not|doesn't|no) exist|not (?:a )?(?:known|valid|active)\\b|invalide?\\b)`,
    ),
  ],
  [
    'userUnknown',
    new RegExp(
      `(?:unknown|no such|no valid|invalid|not a (?:known|valid|local)|non-?existent|undeliverable|no) (?:\\S+ )?${ADDRESSEE}\\b(?! complaints)`,
    ),
  ],
  [
    'userUnknown',
    /no one at this address|recipnotfound|unrouteable address|unknown local[- ]part|no existe|here by that name/,
  ],
  [
    'userUnknown',
    /is not a known user|address does not exist|addressee unknown|user path no exist/,
  ],
];

/** Contents, rules of the other house. */
const CONTENT: readonly Rule[] = [
  [
    'content',
    /\bspam\b|anti ?spam|spamassassin|\bvirus\b|infected|malware|unsolicited|phishing|bulk e?-?mail/,
  ],
  [
    'content',
    /content .{0,20}(?:presents|denied|rejected|filter)|(?:banned|unacceptable) (?:attachment|content)|dt:spm/,
  ],
  ['content', /uribl|spamprofiler|mail rejet[eé]e?\b.*ofr_506/],
  ['later', /access denied, please try again later/],
  [
    'policy',
    /\bpolic(?:y|ies)\b|administrative prohibition|access denied|denied by|\(rtr:|client host rejected: abus/,
  ],
  [
    'policy',
    /\bblocked(?:$| by| -)|(?:is|are|has been) blocked|(?:message|mail) refused|not in approved list/,
  ],
  [
    'policy',
    /dynamic ips?\b|not (?:currently )?accept\w* mail from|not allowed to connect|no access from|go away/,
  ],
  [
    'policy',
    /smtp server of your isp|looks suspiciously|closed mailing list|header error|members? only/,
  ],
];

/** Faults of the other server, and vagueness. */
const FAULTS: readonly Rule[] = [
  [
    'mailboxUnavailable',
    /(?:mail ?box|account|user)\b.{0,20}(?:unavailable|locked|disabled|discontinued|inactive|suspend|busy)/,
  ],
  [
    'busy',
    /(?:service|server|system|resources?|ports)\b.{0,20}\b(?:unavailable|not available|busy|shutting down|error|full)/,
  ],
  [
    'busy',
    /temporary (?:local|lookup|internal|server|system|unavailable)|temporary problem|internal (?:server )?error/,
  ],
  [
    'busy',
    /insufficient (?:system|disk)|dis[kc] full|write error|cannot write|i\/o error|local error|no space left/,
  ],
  [
    'busy',
    /config(?:uration)? (?:error|problem)|not accepting|unable to (?:read|process|connect)|error processing/,
  ],
  [
    'busy',
    /(?:can't|cannot) (?:connect|contact)|refused by load|connecting to|not answering|no answer from|query failed/,
  ],
  [
    'busy',
    /wrong office 365 region|session setup failed|service refuse|qqt? (?:failure|temporary)|no mdb/,
  ],
  [
    'busy',
    /upstream error|backend (?:error|failure)|out of (?:memory|disk)|overload|\bldap\b|\bmysql\b|database/,
  ],
  ['busy', /interrupted system call|timeout waiting for|service temporary/],
  ['broken', /connection (?:was )?(?:dropped|timed out)|timeout exceeded|timeout - closing/],
  ['refused', /^connection refused/],
  [
    'later',
    /try (?:again )?later|come back later|temporarily (?:rejected|deferred)|temp-?failed|please retry/,
  ],
  ['later', /^(?:please )?(?:wait|try again)\b|wait \d+ ?min|^temporary (?:delivery )?failure/],
  [
    'later',
    /tente novamente|essayer plus tard|sp[aä]ter (?:erneut|wieder|noch)|m[aá]s tarde|riprovare/,
  ],
];

export const REPLY_RULES: readonly Rule[] = [
  ...MARKS,
  ...TRUST,
  ...LIMITS,
  ...ADDRESSES,
  ...CONTENT,
  ...FAULTS,
];

/** What the enhanced status code alone says (RFC 3463, and the registry of RFC 5248), where no words decided. */
export const STATUS_CODES: Readonly<Record<string, Cause>> = {
  '1.1': 'userUnknown',
  '1.2': 'domainUnknown',
  '1.7': 'senderRefused',
  '1.8': 'senderRefused',
  '2.1': 'mailboxUnavailable',
  '2.2': 'mailboxFull',
  '2.3': 'tooLarge',
  '3.1': 'busy',
  '3.2': 'busy',
  '3.4': 'tooLarge',
  '3.5': 'busy',
  '4.2': 'broken',
  '4.5': 'busy',
  '4.6': 'loop',
  '5.3': 'rateLimited',
  '7.8': 'smarthostLogin',
  '7.20': 'senderAuthentication',
  '7.21': 'senderAuthentication',
  '7.22': 'senderAuthentication',
  '7.23': 'senderAuthentication',
  '7.24': 'senderAuthentication',
  '7.25': 'ourName',
  '7.26': 'senderAuthentication',
  '7.28': 'reputation',
};
