/** What an exception may be: a sender's domain or address, a client's address or network. The text itself says which. */
import { isAsciiDomain, toAsciiDomain, toUnicodeDomain } from '../domains/schema.js';
import {
  formatNetwork,
  kindOf as kindOfNetwork,
  parseNetwork,
  refusalOf,
} from '../relay-subnets/network.js';

export type ExceptionKind = 'domain' | 'address' | 'ip' | 'network';
export const EXCEPTION_KINDS: readonly ExceptionKind[] = ['domain', 'address', 'ip', 'network'];

/** Longest value, in characters: local part, `@`, domain. */
export const MAX_VALUE_CHARS = 320;
const MAX_LOCAL_CHARS = 64;

export interface Exception {
  readonly kind: ExceptionKind;
  /** As Postfix looks it up: lower case, domains in A-labels, networks without host bits. */
  readonly value: string;
}

/** Why a text is none: the end of a translation key (`exceptions.problem.<fault>`), and what was probably meant. */
export interface Fault {
  readonly fault:
    | 'empty'
    | 'address'
    | 'domain'
    | 'bareDomain'
    | 'shape'
    | 'prefix'
    | 'hostBits'
    | 'everyone'
    | 'tooWide'
    | 'unusable';
  readonly suggestion: string;
}

/** Fewer signs than RFC 5322 allows: these mean nothing in any of the files the address will stand in. */
const LOCAL_PART = /^[a-z0-9_%+=&~-]+(?:\.[a-z0-9_%+=&~-]+)*$/;
const LOOKS_LIKE_ADDRESS = /^\[?[0-9a-f.:]*[.:][0-9a-f.:]*\]?(?:\/.*)?$/i;

/** Reads what somebody typed. `@example.com` is the domain. */
export function parseException(typed: string): Exception | Fault {
  if (typed === '') return fault('empty');
  const at = typed.lastIndexOf('@');
  if (at > 0) return parseAddress(typed.slice(0, at).toLowerCase(), typed.slice(at + 1));
  const name = typed.slice(at + 1);
  if (at < 0 && (typed.includes('/') || (LOOKS_LIKE_ADDRESS.test(typed) && !hasWord(typed)))) {
    return parseClient(typed);
  }
  const domain = toAsciiDomain(name);
  if (domain === null) return fault('domain');
  return domain.includes('.') ? { kind: 'domain', value: domain } : fault('bareDomain');
}

/** `beef.cafe` is made of hexadecimal digits, and a domain all the same. */
function hasWord(text: string): boolean {
  return !text.includes(':') && /[a-f]/i.test(text);
}

function parseAddress(local: string, typedDomain: string): Exception | Fault {
  const domain = toAsciiDomain(typedDomain);
  const usable =
    local.length <= MAX_LOCAL_CHARS && LOCAL_PART.test(local) && (domain?.includes('.') ?? false);
  return usable ? { kind: 'address', value: `${local}@${domain}` } : fault('address');
}

function parseClient(typed: string): Exception | Fault {
  const parsed = parseNetwork(typed);
  if ('fault' in parsed) return fault(parsed.fault, parsed.suggestions[0] ?? '');
  const { network } = parsed;
  const refusal = refusalOf(network);
  if (refusal !== null) return fault(refusal);
  // This machine itself is never judged; an exception for it would only hide a mistake.
  if (kindOfNetwork(network) === 'loopback') return fault('unusable');
  const value = formatNetwork(network);
  return { kind: value.includes('/') ? 'network' : 'ip', value };
}

function fault(name: Fault['fault'], suggestion = ''): Fault {
  return { fault: name, suggestion };
}

/** Whether a text is an exception exactly as it is kept. */
export function isException(value: string): boolean {
  if (value.length > MAX_VALUE_CHARS) return false;
  const parsed = parseException(value);
  return 'kind' in parsed && parsed.value === value && !value.startsWith('@');
}

/** The kind of a value that is kept. */
export function kindOfValue(value: string): ExceptionKind {
  const parsed = parseException(value);
  if ('kind' in parsed) return parsed.kind;
  throw new RangeError(`no exception: ${value}`);
}

/** As people read it. */
export function displayException(value: string): string {
  const at = value.lastIndexOf('@');
  if (at > 0) return `${value.slice(0, at)}@${toUnicodeDomain(value.slice(at + 1))}`;
  return isAsciiDomain(value) ? toUnicodeDomain(value) : value;
}
