/** The settings of the section Policy: what is refused, or asked to come again, while a stranger still talks to us. */
import Joi from 'joi';
import { asciiDomain } from '../domains/schema.js';

/** DNS block lists one server may ask; each is one more question to the DNS per client. */
export const MAX_BLOCK_LISTS = 10;
export const MAX_WEIGHT = 10;
/** Largest sum of weights that can be asked for: all lists at full weight. */
export const MAX_THRESHOLD = MAX_BLOCK_LISTS * MAX_WEIGHT;
/** How long a stranger can be asked to wait, in seconds. Below a minute nobody is kept off, but it may be tried. */
export const DELAY_SECONDS = { min: 5, max: 7_200 } as const;
/** How long postgrey remembers a sender that does not write any more, in days. */
export const MEMORY_DAYS = { min: 1, max: 365 } as const;
/** After so many mails a client is let in at once; 0: never. */
export const MAX_AUTO_ALLOW = 100;
/** Narrowest and widest network that counts as one client, in bits. */
export const PREFIX_BITS = { 4: { min: 16, max: 32 }, 6: { min: 32, max: 128 } } as const;
/** Limits per client, in events a minute; connections are those at the same time. */
export const MAX_RATE = 100_000;

/** `mark`: write the result into the header and take the mail. */
export type SpfUse = 'off' | 'mark' | 'refuse';
export const SPF_USES: readonly SpfUse[] = ['off', 'mark', 'refuse'];

export interface BlockList {
  /** A domain, in A-labels, whose names are addresses (RFC 5782). */
  readonly zone: string;
  /** What a client that is on it counts. */
  readonly weight: number;
  readonly enabled: boolean;
}

export interface PolicySettings {
  readonly greylisting: boolean;
  /** In seconds. */
  readonly greylistDelay: number;
  /** In days. */
  readonly greylistMemory: number;
  readonly greylistAutoAllow: number;
  readonly greylistIpv4Prefix: number;
  readonly greylistIpv6Prefix: number;
  readonly spf: SpfUse;
  readonly blockLists: readonly BlockList[];
  /** A client whose lists weigh that much together is refused. */
  readonly blockThreshold: number;
  /** Refuse senders whose domain does not exist. */
  readonly senderDomain: boolean;
  /** Refuse addresses without a full domain. */
  readonly fullAddresses: boolean;
  /** Ask for a HELO that could be a name. */
  readonly helo: boolean;
  /** At the same time; null leaves what Postfix does. */
  readonly connections: number | null;
  /** A minute; null is unlimited. */
  readonly connectionRate: number | null;
  readonly messageRate: number | null;
  readonly recipientRate: number | null;
}

/** Nothing is on: a server that nobody set up refuses nobody. */
export const NO_POLICY: PolicySettings = {
  greylisting: false,
  greylistDelay: 300,
  greylistMemory: 35,
  greylistAutoAllow: 5,
  greylistIpv4Prefix: 24,
  greylistIpv6Prefix: 64,
  spf: 'off',
  blockLists: [],
  blockThreshold: 2,
  senderDomain: false,
  fullAddresses: false,
  helo: false,
  connections: null,
  connectionRate: null,
  messageRate: null,
  recipientRate: null,
};

const yesOrNo = Joi.boolean().required();
const whole = (min: number, max: number) => Joi.number().integer().min(min).max(max).required();
const limit = Joi.number().integer().min(1).max(MAX_RATE).allow(null).required();

const blockList = Joi.object<BlockList>({
  zone: asciiDomain.pattern(/\./).required().messages({ 'string.pattern.base': 'domain.invalid' }),
  weight: whole(1, MAX_WEIGHT),
  enabled: yesOrNo,
});

export const policySchema = Joi.object<PolicySettings>({
  greylisting: yesOrNo,
  greylistDelay: whole(DELAY_SECONDS.min, DELAY_SECONDS.max),
  greylistMemory: whole(MEMORY_DAYS.min, MEMORY_DAYS.max),
  greylistAutoAllow: whole(0, MAX_AUTO_ALLOW),
  greylistIpv4Prefix: whole(PREFIX_BITS[4].min, PREFIX_BITS[4].max),
  greylistIpv6Prefix: whole(PREFIX_BITS[6].min, PREFIX_BITS[6].max),
  spf: Joi.string()
    .valid(...SPF_USES)
    .required(),
  blockLists: Joi.array().items(blockList).max(MAX_BLOCK_LISTS).unique('zone').required(),
  blockThreshold: whole(1, MAX_THRESHOLD),
  senderDomain: yesOrNo,
  fullAddresses: yesOrNo,
  helo: yesOrNo,
  connections: limit,
  connectionRate: limit,
  messageRate: limit,
  recipientRate: limit,
}).required();

/** The lists that are asked. */
export function askedLists({ blockLists }: PolicySettings): readonly BlockList[] {
  return blockLists.filter(({ enabled }) => enabled);
}
