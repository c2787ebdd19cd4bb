/** Domain names, and the settings of the section Local domains. */
import { domainToASCII, domainToUnicode } from 'node:url';
import Joi from 'joi';

/** Longest name in its A-label form, without the final dot (RFC 1035 2.3.4). */
export const MAX_DOMAIN_LENGTH = 253;
/** Longest label (RFC 1035 2.3.4). */
const MAX_LABEL_LENGTH = 63;
/** How many local domains one server may have here. */
export const MAX_DOMAINS = 5_000;

export interface DomainSettings {
  /** A-labels, lower case, no final dot. */
  readonly names: readonly string[];
}

/** Letters of any script, decimal digits, inner hyphens: what a person may type as one label. */
const TYPED_LABEL = /^[\p{L}\p{Nd}](?:[\p{L}\p{M}\p{Nd}-]*[\p{L}\p{M}\p{Nd}])?$/u;
const ASCII_LABEL = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;

/**
 * What a person typed, as A-labels in lower case; null when it is no domain name.
 * Checks the shape before `domainToASCII`, which would turn `foo.com/x` into `foo.com` (RFC 5890, RFC 1123 2.1).
 */
export function toAsciiDomain(typed: string): string | null {
  const name = typed.endsWith('.') ? typed.slice(0, -1) : typed;
  if (name.length === 0 || name.length > MAX_DOMAIN_LENGTH) return null;
  const labels = name.split('.');
  if (!labels.every((label) => TYPED_LABEL.test(label))) return null;
  const ascii = domainToASCII(name).toLowerCase();
  const sameShape = ascii.split('.').length === labels.length;
  return sameShape && isAsciiDomain(ascii) ? ascii : null;
}

/** Names that were found to be domains last: of 100,000 addresses most have the same few. */
const found = new Set<string>();
const MAX_FOUND = 1_000;

/** Whether a text is a domain name in A-label form, lower case, without a final dot. One label is enough. */
export function isAsciiDomain(name: string): boolean {
  if (found.has(name)) return true;
  if (!hasShapeOfDomain(name)) return false;
  if (found.size >= MAX_FOUND) found.clear();
  found.add(name);
  return true;
}

function hasShapeOfDomain(name: string): boolean {
  if (name.length === 0 || name.length > MAX_DOMAIN_LENGTH) return false;
  const labels = name.split('.');
  // An IPv6 address has colons, which no label takes.
  const looksLikeAddress = /^(?:\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '');
  return !looksLikeAddress && labels.every(isAsciiLabel);
}

function isAsciiLabel(label: string): boolean {
  if (label.length > MAX_LABEL_LENGTH || !ASCII_LABEL.test(label)) return false;
  return !label.startsWith('xn--') || domainToUnicode(label) !== '';
}

/**
 * The form people read: `xn--mller-kva.example` becomes `müller.example`. A name that could not be typed like that,
 * such as one with a picture in it, stays in A-labels: what a form shows can always be sent again.
 */
export function toUnicodeDomain(ascii: string): string {
  if (!/xn--/i.test(ascii)) return ascii;
  const unicode = domainToUnicode(ascii);
  return unicode !== '' && toAsciiDomain(unicode) === ascii ? unicode : ascii;
}

const WITH_A_LABEL = /(?:[a-z0-9-]+\.)*xn--[a-z0-9-]+(?:\.[a-z0-9-]+)*/gi;

/** A text of logs and queues with its domains as people write them, for those who look for `müller`. */
export function withUnicodeDomains(text: string): string {
  return /xn--/i.test(text) ? text.replace(WITH_A_LABEL, toUnicodeDomain) : text;
}

/** Whether `text` has `part` in it, letters of any case; a part with letters beyond ASCII also in domains that are A-labels. */
export function holdsPart(text: string, part: string): boolean {
  const wanted = part.toLowerCase();
  const lower = text.toLowerCase();
  if (lower.includes(wanted)) return true;
  return isBeyondAscii(part) && withUnicodeDomains(lower).includes(wanted);
}

export function isBeyondAscii(text: string): boolean {
  return /[^\0-\x7f]/.test(text);
}

/** Whether mail from elsewhere could be addressed to it: not the machine's bare name, nor `localhost` in any dress. */
export function isMailDomain(name: string): boolean {
  return name.includes('.') && !/(?:^|\.)local(?:host|domain)$/.test(name);
}

/** A Joi rule for a domain in A-label form; its error type is `domain.invalid`. */
export const asciiDomain = Joi.string()
  .max(MAX_DOMAIN_LENGTH)
  .custom((value: string, helpers) =>
    isAsciiDomain(value) ? value : helpers.error('domain.invalid'),
  )
  .messages({ 'domain.invalid': 'domain.invalid' });

export const domainsSchema = Joi.object<DomainSettings>({
  names: Joi.array().items(asciiDomain).max(MAX_DOMAINS).unique().required(),
}).required();
