/** A plain mail address as it may stand in an envelope and in an argument list: no quotes, no blanks, no leading hyphen. */
import Joi from 'joi';
import { isAsciiDomain, toAsciiDomain } from '../domains/schema.js';

/** RFC 5321 4.5.3.1: the local part, and the path as a whole without its brackets. */
const MAX_LOCAL_CHARS = 64;
const MAX_ADDRESS_CHARS = 254;
/** `atext` and dots (RFC 5322 3.2.3). */
const LOCAL_PART = /^[A-Za-z0-9!#$&'*+/=?^_`{|}~][A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]*$/;

export function isPlainAddress(text: string): boolean {
  const at = text.lastIndexOf('@');
  const local = text.slice(0, at);
  return (
    at > 0 &&
    text.length <= MAX_ADDRESS_CHARS &&
    local.length <= MAX_LOCAL_CHARS &&
    LOCAL_PART.test(local) &&
    isAsciiDomain(text.slice(at + 1).toLowerCase())
  );
}

/** An address as a person types it, its domain as A-labels; null when it is no plain one. */
export function toPlainAddress(typed: string): string | null {
  const at = typed.lastIndexOf('@');
  const domain = toAsciiDomain(typed.slice(at + 1));
  const address = `${typed.slice(0, at)}@${domain ?? ''}`;
  return at > 0 && isPlainAddress(address) ? address : null;
}

export const plainAddress = Joi.string()
  .max(MAX_ADDRESS_CHARS)
  .custom((value: string, helpers) =>
    isPlainAddress(value) ? value : helpers.error('any.invalid'),
  );
