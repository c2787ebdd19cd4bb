/** What somebody typed into the form of a mailing. */
import { parseAddress } from '../aliases/address.js';
import { toUnicodeDomain } from '../domains/schema.js';
import type { Problem } from '../errors.js';
import { isPlainAddress } from '../smarthost/address.js';
import { allTexts, quote, readFields, type FieldValues } from '../web/fields.js';
import {
  DEFAULT_RATE,
  MAX_BODY_CHARS,
  MAX_FROM_NAME_CHARS,
  MAX_RATE,
  MAX_SUBJECT_CHARS,
} from './schema.js';
import type { MailingValues } from './store.js';

/** In the order in which the form shows them. */
export const FORM_FIELDS = [
  'from',
  'fromName',
  'subject',
  'body',
  'attachments',
  'include',
  'exclude',
  'rate',
] as const;

/** Names of groups or people in one field, at most. */
const MAX_NAMES = 1_000;
/** Longest name that is looked at, in characters. */
const MAX_NAME_CHARS = 256;
const EXAMPLE = 'info';

/** Control characters other than tab and newline, half characters, and what was no UTF-8. */
// eslint-disable-next-line no-control-regex -- control characters are what this looks for
const BAD_TEXT = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\ufffd]/u;

export interface TypedMailing {
  readonly values: FieldValues;
  /** Ticked and typed names. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** Ids of files that are there already. */
  readonly kept: readonly string[];
}

export interface ReadMailing {
  readonly typed: TypedMailing;
  /** Null when something is wrong. */
  readonly mailing: MailingValues | null;
  readonly problems: readonly Problem[];
}

/** `isLocal` says whether the server may use a domain, `home` is one for examples. */
export function readMailingForm(
  body: unknown,
  { isLocal, home }: { readonly isLocal: (domain: string) => boolean; readonly home: string },
): ReadMailing {
  const fields = readFields(body, ['from', 'fromName', 'subject', 'rate', 'formatted']);
  const problems: Problem[] = [...fields.problems];
  const wrong = (field: string, key: string, values: Problem['values'] = {}): void => {
    if (!problems.some((problem) => problem.field === field)) problems.push({ key, values, field });
  };
  const value = (name: string): string => fields.values[name] ?? '';

  const domain = home === '' ? 'example.com' : toUnicodeDomain(home);
  const example = `${EXAMPLE}@${domain}`;
  const address = parseAddress(value('from'));
  const from = address?.domain ? `${address.local}@${address.domain}` : '';
  if (value('from') === '') wrong('from', 'bulk.problem.from.empty', { example });
  else if (!isPlainAddress(from)) {
    wrong('from', 'bulk.problem.from', { value: quote(value('from')), example });
  } else if (!isLocal(address?.domain ?? '')) {
    wrong('from', 'bulk.problem.from.foreign', {
      domain: toUnicodeDomain(address?.domain ?? ''),
      example,
    });
  }
  if (value('fromName').length > MAX_FROM_NAME_CHARS) {
    wrong('fromName', 'bulk.problem.tooLong', { limit: MAX_FROM_NAME_CHARS });
  }
  if (value('subject') === '') wrong('subject', 'bulk.problem.subject.empty');
  if (value('subject').length > MAX_SUBJECT_CHARS) {
    wrong('subject', 'bulk.problem.tooLong', { limit: MAX_SUBJECT_CHARS });
  }
  const text = (allTexts(body, 'body')[0] ?? '').replace(/\r\n?/g, '\n');
  if (text.trim() === '') wrong('body', 'bulk.problem.body.empty');
  else if (BAD_TEXT.test(text)) wrong('body', 'bulk.problem.body.sign');
  else if (text.length > MAX_BODY_CHARS) {
    wrong('body', 'bulk.problem.tooLong', { limit: MAX_BODY_CHARS });
  }
  const rate = rateOf(value('rate'));
  if (rate === null) {
    wrong('rate', 'bulk.problem.rate', { value: quote(value('rate')), limit: MAX_RATE });
  }
  const names = { include: namesIn(body, 'include'), exclude: namesIn(body, 'exclude') };
  for (const [field, list] of Object.entries(names)) {
    const odd = list.find((name) => BAD_TEXT.test(name) || name.length > MAX_NAME_CHARS);
    if (odd !== undefined) wrong(field, 'bulk.problem.name', { value: quote(odd) });
    else if (list.length > MAX_NAMES) wrong(field, 'bulk.problem.tooMany', { limit: MAX_NAMES });
  }
  return {
    typed: {
      values: { ...fields.values, body: text.slice(0, 2 * MAX_BODY_CHARS) },
      ...names,
      kept: allTexts(body, 'kept').filter((id) => /^[0-9a-f-]{36}$/.test(id)),
    },
    mailing:
      problems.length > 0
        ? null
        : {
            ...{ sender: from, senderName: value('fromName'), subject: value('subject') },
            ...{ body: text, formatted: value('formatted') === '1', ...names },
            rate: rate ?? DEFAULT_RATE,
          },
    problems,
  };
}

/** '' is as fast as the server takes them. */
function rateOf(text: string): number | null {
  if (text === '') return 0;
  if (!/^\d{1,6}$/.test(text)) return null;
  const rate = Number(text);
  return rate >= 1 && rate <= MAX_RATE ? rate : null;
}

/** Ticked names, and a line of them divided by blanks, commas or semicolons. */
function namesIn(body: unknown, field: string): readonly string[] {
  const ticked = allTexts(body, field);
  const typed = allTexts(body, `${field}Names`).flatMap((line) => line.split(/[\s,;]+/));
  return [...new Set([...ticked, ...typed])].filter((name) => name !== '');
}

/** A draft as its form shows it. */
export function toForm(mailing: MailingValues): TypedMailing {
  const { sender, senderName, subject, body, formatted, include, exclude, rate } = mailing;
  const at = sender.lastIndexOf('@');
  const from = at < 0 ? sender : `${sender.slice(0, at)}@${toUnicodeDomain(sender.slice(at + 1))}`;
  return {
    values: {
      ...{ from, fromName: senderName, subject, body },
      formatted: formatted ? '1' : '',
      rate: rate === 0 ? '' : String(rate),
    },
    ...{ include, exclude, kept: [] },
  };
}
