/** The settings of the section Security that concern the content of mail: spam, viruses, and where both are looked for. */
import Joi from 'joi';
import { isAsciiDomain } from '../domains/schema.js';
import { isAllowedNetwork } from '../relay-subnets/schema.js';

/** Largest object the virus scanner may be told to look into, in MB: beyond, it takes minutes for one mail. */
export const MAX_OBJECT_MB = 1_000;
/** How many servers may be believed. */
export const MAX_TRUSTED = 50;
/** Scores that mean something lie far within (Mail::SpamAssassin::Conf). */
export const MAX_SCORE = 100;
export const MAX_TAG_CHARS = 40;

export interface SecuritySettings {
  /** Whether SpamAssassin looks at mail. */
  readonly spam: boolean;
  /** From this score on the header says how the score came about. */
  readonly tagLevel: number;
  /** From this score on a mail is marked as spam. */
  readonly markLevel: number;
  /** From this score on it is not delivered; null: all spam is delivered, marked. */
  readonly keepLevel: number | null;
  /** Put before the subject of what is marked; '' puts nothing. */
  readonly subjectTag: string;
  /** Whether tests may ask block lists and other services in the network. */
  readonly networkTests: boolean;
  /** Whose letters are nothing remarkable: everybody's, or Latin ones alone. */
  readonly scripts: 'all' | 'latin';
  /** Servers, besides ours, that are believed whom they took a mail from: networks as `formatNetwork` writes them. */
  readonly trustedServers: readonly string[];
  /** Whether ClamAV looks at mail. */
  readonly virus: boolean;
  /** Whether it looks into archives. */
  readonly archives: boolean;
  /** What is larger is not looked into, in MB. */
  readonly largestObjectMb: number;
  /** Who is told of each virus; '' nobody. */
  readonly alertAddress: string;
  /** What becomes of mail while the virus scanner does not answer. */
  readonly whileDown: 'wait' | 'pass';
  /** `after`: mail is taken, then looked at, and what is bad is kept back. `before`: it is refused while it is sent. */
  readonly place: 'after' | 'before';
}

/** What holds as long as nothing was saved. */
export const SECURITY_DEFAULTS: SecuritySettings = {
  spam: false,
  tagLevel: 2,
  markLevel: 6.3,
  keepLevel: null,
  subjectTag: '***SPAM***',
  networkTests: true,
  scripts: 'all',
  trustedServers: [],
  virus: false,
  archives: true,
  largestObjectMb: 25,
  alertAddress: '',
  whileDown: 'wait',
  place: 'after',
};

/**
 * The subject's tag stands in a file that is a program: letters, digits and signs that mean nothing there, neither at its
 * start nor its end a blank.
 */
const SUBJECT_TAG =
  /^[A-Za-z0-9*#!?:._()[\]<>+=~-](?:[A-Za-z0-9 *#!?:._()[\]<>+=~-]*[A-Za-z0-9*#!?:._()[\]<>+=~-])?$/;
const LOCAL_PART = /^[A-Za-z0-9](?:[A-Za-z0-9._+-]*[A-Za-z0-9])?$/;

/** Whether a text is an address whose signs mean nothing in any of the files it stands in. */
export function isPlainAddress(text: string): boolean {
  const at = text.lastIndexOf('@');
  const local = text.slice(0, at);
  return at > 0 && at <= 64 && LOCAL_PART.test(local) && isAsciiDomain(text.slice(at + 1));
}

/** One decimal: what people type, and what a score is told with. */
const score = Joi.number()
  .min(-MAX_SCORE)
  .max(MAX_SCORE)
  .custom((value: number, helpers) =>
    Number.isInteger(Math.round(value * 1e6) / 1e5) ? value : helpers.error('number.decimals'),
  )
  .messages({ 'number.decimals': 'number.decimals' });

export const securitySchema = Joi.object<SecuritySettings>({
  spam: Joi.boolean().required(),
  tagLevel: score.required(),
  markLevel: score.min(0.1).required(),
  keepLevel: score.min(0.1).allow(null).required(),
  subjectTag: Joi.string().allow('').max(MAX_TAG_CHARS).pattern(SUBJECT_TAG).required(),
  networkTests: Joi.boolean().required(),
  scripts: Joi.string().valid('all', 'latin').required(),
  trustedServers: Joi.array()
    .items(
      Joi.string().custom((value: string, helpers) =>
        isAllowedNetwork(value) ? value : helpers.error('network.invalid', { value }),
      ),
    )
    .max(MAX_TRUSTED)
    .unique()
    .required(),
  virus: Joi.boolean().required(),
  archives: Joi.boolean().required(),
  largestObjectMb: Joi.number().integer().min(1).max(MAX_OBJECT_MB).required(),
  alertAddress: Joi.string()
    .allow('')
    .max(254)
    .custom((value: string, helpers) =>
      isPlainAddress(value) ? value : helpers.error('address.invalid'),
    )
    .required(),
  whileDown: Joi.string().valid('wait', 'pass').required(),
  place: Joi.string().valid('after', 'before').required(),
})
  .custom((value: SecuritySettings, helpers) => {
    const { tagLevel, markLevel, keepLevel } = value;
    if (markLevel < tagLevel) {
      return helpers.error('levels.mark', { value: markLevel }, { path: ['markLevel'] });
    }
    if (keepLevel !== null && keepLevel < markLevel) {
      return helpers.error('levels.keep', { value: keepLevel }, { path: ['keepLevel'] });
    }
    return value;
  })
  .messages({
    'levels.mark': 'levels.mark',
    'levels.keep': 'levels.keep',
    'network.invalid': 'network.invalid',
    'address.invalid': 'address.invalid',
  })
  .required();
