/** Reads what amavis wrote before a mail it kept back, and takes it off again. Pure. */
import type { QuarantineRow } from './schema.js';

/** Written by amavis in front of the mail, or into its header, for whoever looks after the quarantine. */
const OF_THE_FILTER =
  /^(?:return-path|delivered-to|x-envelope-(?:from|to|to-blocked)|x-quarantine-id|x-amavis-[\w-]+|x-spam-[\w-]+|x-virus-scanned):/i;
const MAX_VALUE = 400;
const MAX_RECIPIENTS = 100;
const MAX_TESTS = 60;

export interface HeaderField {
  readonly name: string;
  /** Unfolded. */
  readonly value: string;
}

/** The fields of a header, unfolded; ends at the first empty line. One character a byte. */
export function readFields(text: string): readonly HeaderField[] {
  const fields: { name: string; value: string }[] = [];
  for (const line of text.split('\n')) {
    const plain = line.replace(/\r$/, '');
    if (plain === '') break;
    const last = fields.at(-1);
    if (/^[ \t]/.test(plain) && last !== undefined) {
      last.value += ` ${plain.trim()}`;
      continue;
    }
    const colon = plain.indexOf(':');
    if (colon > 0) {
      fields.push({
        name: plain.slice(0, colon).toLowerCase(),
        value: plain.slice(colon + 1).trim(),
      });
    }
  }
  return fields;
}

/** Only what the filter wrote: whoever wrote the mail can put anything behind it. */
export function readFrontFields(head: Buffer): readonly HeaderField[] {
  return readFields(head.subarray(0, startOfMail(head)).toString('latin1'));
}

export function readRow(
  head: Buffer,
  file: Pick<QuarantineRow, 'id' | 'size' | 'at'>,
): QuarantineRow {
  const filters = readFrontFields(head);
  const fields = readFields(head.subarray(startOfMail(head)).toString('latin1'));
  const of = (list: readonly HeaderField[], name: string): string =>
    utf8(list.find((field) => field.name === name)?.value ?? '');
  const value = (name: string): string => of(fields, name).slice(0, MAX_VALUE);
  const status = of(filters, 'x-spam-status');
  const alert = of(filters, 'x-amavis-alert').slice(0, MAX_VALUE);
  const score = /\bscore=(-?[\d.]+)/.exec(status)?.[1];
  return {
    ...file,
    sender: addresses(of(filters, 'x-envelope-from'))[0] ?? '',
    recipients: recipientsOf(filters).slice(0, MAX_RECIPIENTS),
    subject: value('subject'),
    from: value('from'),
    messageId: value('message-id'),
    what: /message contains \S+?:? (.*)$/.exec(alert)?.[1] ?? alert.replace(/^[A-Z]+, ?/, ''),
    score: score === undefined ? null : Number(score),
    tests: (/\btests=\[?([^\]]*)/.exec(status)?.[1] ?? '')
      .split(/[,\s]+/)
      .filter((test) => /^[A-Z]\w+(?:=-?[\d.]+)?$/.test(test))
      .slice(0, MAX_TESTS),
  };
}

/** Who the mail was kept from, of `readFrontFields`: not everybody of the envelope has to be. */
export function recipientsOf(fields: readonly HeaderField[]): readonly string[] {
  const value = (name: string): string =>
    utf8(fields.find((field) => field.name === name)?.value ?? '');
  const blocked = addresses(value('x-envelope-to-blocked'));
  return blocked.length > 0 ? blocked : addresses(value('x-envelope-to'));
}

/** `<a@b>, <"c, d"@e>`: what stands between angle brackets, or else between commas. */
function addresses(text: string): string[] {
  const bracketed = [...text.matchAll(/<((?:"(?:\\.|[^"\\])*"|[^<>"])*)>/g)].map(
    ([, address = '']) => address,
  );
  return bracketed.length > 0
    ? bracketed.filter((address) => address !== '')
    : text.split(/,\s*/).filter((address) => address.includes('@'));
}

/** Where the mail as it came begins, in bytes, as far as the fields in front of it are all the filter's. */
export function startOfMail(head: Buffer): number {
  const text = head.toString('latin1');
  let at = 0;
  while (at < text.length) {
    const end = text.indexOf('\n', at);
    if (end < 0) break;
    const line = text.slice(at, end);
    // A folded line belongs to the field before it.
    if (!OF_THE_FILTER.test(line) && !(at > 0 && /^[ \t]/.test(line))) break;
    at = end + 1;
  }
  return at;
}

function utf8(text: string): string {
  return Buffer.from(text, 'latin1').toString('utf8');
}
