/** Mail addresses and alias names as people type them, and the one form in which they are kept and compared. */
import { isAsciiDomain, toAsciiDomain, toUnicodeDomain } from '../domains/schema.js';
import { foldCase } from '../sections/fold-case.js';

/** Longest local part, in bytes of UTF-8 (RFC 5321 4.5.3.1.1, RFC 6532). */
export const MAX_LOCAL_BYTES = 64;

export interface Address {
  readonly local: string;
  /** A-labels, lower case; null for a bare name of this machine. */
  readonly domain: string | null;
}

/**
 * Letters and digits of any script and the signs people have in addresses. Left out: what Postfix rewrites (`%`, `!`),
 * what would need quotes, and at the beginning everything a mail program might take for a command, a file or an option.
 */
const LOCAL = /^[\p{L}\p{N}_+][\p{L}\p{M}\p{N}_.+=&'~*?^/#-]*$/u;

/** What nearly every local part consists of: the same without Unicode, which takes longer. */
const PLAIN_LOCAL = /^[A-Za-z0-9_+][A-Za-z0-9_.+=&'~*?^/#-]*$/;

/**
 * What nearly every kept address consists of, in one look: such a local part in small letters, without two dots side by
 * side or one at its end, and whatever follows the first `@`.
 */
const PLAIN_ADDRESS = /^[a-z0-9_+](?:\.?[a-z0-9_+=&'~*?^/#-])*(?:$|@)/;

function isPlainAddress(text: string): boolean {
  if (!PLAIN_ADDRESS.test(text)) return false;
  const at = text.indexOf('@');
  if (at < 0) return text.length <= MAX_LOCAL_BYTES;
  return at <= MAX_LOCAL_BYTES && isDomainFrom(text, at + 1);
}

/** The two domains that were found last: of very many addresses most are of the same few, and to look is less than to cut. */
const last = ['', ''];

function isDomainFrom(text: string, from: number): boolean {
  for (const known of last) {
    if (known !== '' && text.length - from === known.length && text.endsWith(known)) return true;
  }
  const domain = text.slice(from);
  if (!isAsciiDomain(domain)) return false;
  last.unshift(domain);
  last.pop();
  return true;
}

/** Whether a text can be a local part as it stands. A few old Greek letters fold into what is no letter (NFC). */
function isLocalPart(local: string): boolean {
  const plain = PLAIN_LOCAL.test(local);
  if ((!plain && !LOCAL.test(local)) || local.includes('..') || local.endsWith('.')) return false;
  if (plain) return local.length <= MAX_LOCAL_BYTES;
  const folded = foldCase(local);
  if (folded.normalize('NFC') !== folded) return false;
  return Buffer.byteLength(local) <= MAX_LOCAL_BYTES;
}

/** A typed address or bare name; null when it is neither. The domain in A-labels, the local part as typed. */
export function parseAddress(typed: string): Address | null {
  const text = typed.trim().normalize('NFC');
  const at = text.lastIndexOf('@');
  const local = at < 0 ? text : text.slice(0, at);
  if (!isLocalPart(local)) return null;
  if (at < 0) return { local, domain: null };
  const domain = toAsciiDomain(text.slice(at + 1));
  return domain === null ? null : { local, domain };
}

/** A kept address: what `parseAddress` and `formatAddress` made. */
export function splitAddress(address: string): Address {
  const at = address.lastIndexOf('@');
  if (at < 0) return { local: address, domain: null };
  return { local: address.slice(0, at), domain: address.slice(at + 1) };
}

export function formatAddress({ local, domain }: Address): string {
  return domain === null ? local : `${local}@${domain}`;
}

/** As people read it, with the domain in its own script. */
export function displayAddress(address: string): string {
  const { local, domain } = splitAddress(address);
  return domain === null ? local : `${local}@${toUnicodeDomain(domain)}`;
}

/** The key by which two spellings of an address are the same mailbox or alias. */
export function addressKey(address: string): string {
  const { local, domain } = splitAddress(address);
  return formatAddress({ local: foldCase(local), domain });
}

/** What an alias may be named: `sales`, `sales@example.com`, or `@example.com` for unknown recipients. */
export type AliasKind = 'local' | 'address' | 'catchAll';

export function kindOfName(name: string): AliasKind {
  if (name.startsWith('@')) return 'catchAll';
  return name.includes('@') ? 'address' : 'local';
}

/** The one form of a typed alias name; null when it is none. */
export function parseAliasName(typed: string): string | null {
  const text = typed.trim();
  if (text.startsWith('@')) {
    const domain = toAsciiDomain(text.slice(1));
    return domain === null ? null : `@${domain}`;
  }
  const address = parseAddress(text);
  return address && addressKey(formatAddress(address));
}

/** The one form of a typed target; null when it is none. Names of this machine fold case, foreign ones keep it. */
export function parseTarget(typed: string): string | null {
  const address = parseAddress(typed);
  if (!address) return null;
  return address.domain === null ? foldCase(address.local) : formatAddress(address);
}

/** For the privileged side: a name or target that is not in its one form did not come from a form. */
export function isAliasName(name: string): boolean {
  if (isPlainAddress(name)) return true;
  if (name.startsWith('@')) return isAsciiDomain(name.slice(1));
  return isTarget(name) && addressKey(name) === name;
}

export function isTarget(target: string): boolean {
  if (isPlainAddress(target)) return true;
  const { local, domain } = splitAddress(target);
  if (!isLocalPart(local) || target.normalize('NFC') !== target) return false;
  return domain === null ? foldCase(local) === local : isAsciiDomain(domain);
}

/** A name in every form a client may use: with SMTPUTF8 both, and Postfix compares text (SMTPUTF8_README). */
export function lookupForms(name: string): readonly string[] {
  if (!name.includes('xn--')) return [name];
  const { local, domain } = splitAddress(name);
  if (domain === null) return [name];
  const unicode = toUnicodeDomain(domain);
  return unicode === domain ? [name] : [name, `${local}@${unicode}`];
}
