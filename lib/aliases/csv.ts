/** Aliases as a table in a text file (CSV, RFC 4180), as spreadsheets write and read it. Pure. */
import { isUtf8 } from 'node:buffer';
import { parseAliasName, parseTarget, displayAddress } from './address.js';
import { MAX_NAME_LENGTH, MAX_NOTE_LENGTH, MAX_TARGETS } from './schema.js';
import type { AliasValues } from './store.js';

/** Longest field, in characters. */
const MAX_FIELD_CHARS = 200_000;
/** Columns of the file, in the order in which they are written, and what else they may be called. */
const COLUMNS = {
  name: ['name', 'alias', 'address', 'mail to', 'adresse', 'mail an', 'nom', 'naam', 'adres'],
  targets: [
    ...['targets', 'target', 'goes to', 'ziele', 'ziel', 'geht an', 'cibles', 'cible', 'doelen'],
    ...['doel'],
  ],
  note: ['note', 'notes', 'comment', 'notiz', 'bemerkung', 'remarque', 'notitie', 'opmerking'],
  enabled: ['enabled', 'active', 'on', 'state', 'aktiv', 'eingeschaltet', 'actif', 'actief'],
} as const;
type Column = keyof typeof COLUMNS;
const ORDER = Object.keys(COLUMNS) as readonly Column[];

/** In every language of ours, and what spreadsheets make of a ticked box. */
const YES = ['', 'yes', '1', 'true', 'on', 'ja', 'an', 'x', 'wahr', 'oui', 'vrai', 'waar', 'aan'];
const NO = [
  'no',
  '0',
  'false',
  'off',
  'nein',
  'aus',
  'falsch',
  'non',
  'faux',
  'nee',
  'onwaar',
  'uit',
];

/** A first line of spreadsheets that names the separator and nothing else. */
const NAMES_SEPARATOR = /^sep=$/i;

/** A value that a spreadsheet would take for a formula; `'` in front of it, as spreadsheets themselves have it. */
const FORMULA = /^'*[=+\-@\t\r]/;
const QUOTED_FORMULA = /^'('*[=+\-@\t\r])/;

// eslint-disable-next-line no-control-regex -- control characters are what this looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/u;

export type Separator = ',' | ';' | '\t';

/** A line of the file: the number of its first line in the file, from 1, and its fields. */
export interface CsvLine {
  readonly line: number;
  readonly fields: readonly string[];
  /** The file ends within quotes: the rest of it is missing, or a quote is. */
  readonly cut: boolean;
}

/** What is wrong with a line: a key below `aliases.import.wrong.`, and the value concerned. */
export interface CsvFault {
  readonly reason: string;
  readonly value: string;
}

/** What a line may leave out, and what then stays as it is. */
type Optional = 'note' | 'enabled';

interface ReadRow {
  readonly values: AliasValues;
  /** It says nothing of these: the file has no such column, or the line ends before it. */
  readonly without: readonly Optional[];
}

export type CsvRow = { readonly line: number } & (ReadRow | { readonly fault: CsvFault });

/** Bytes that become text at once: of a large file there is never more text than its longest line. */
const PIECE_BYTES = 64 * 1024;

/** The text of a file piece by piece; the first one has the whole first line, unless that is very long. */
export function* decodeText(bytes: Buffer): Generator<string> {
  const decoder = new TextDecoder(encodingOf(bytes));
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    yield decoder.decode(bytes.subarray(at, at + PIECE_BYTES), { stream: true });
  }
  yield decoder.decode();
}

/** UTF-8 or UTF-16 with their marks; UTF-8 without; else what older spreadsheets write (Windows-1252). */
function encodingOf(bytes: Buffer): string {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  if (first === 0xfe && second === 0xff) return 'utf-16be';
  return isUtf8(bytes) ? 'utf-8' : 'windows-1252';
}

/** The separator that stands most often in the first line, outside of quotes. */
export function separatorOf(text: string): Separator {
  const line = /^(?:"(?:[^"]|"")*"|[^"\r\n])*/.exec(text.slice(0, 10_000))?.[0] ?? '';
  const plain = line.replace(/"(?:[^"]|"")*"/g, '');
  const count = (sign: string): number => plain.split(sign).length;
  const signs: readonly Separator[] = [',', ';', '\t'];
  return signs.reduce((best, sign) => (count(sign) > count(best) ? sign : best));
}

/** The lines of a file, one after the other; empty ones are passed over. */
function* readLines(
  start: string,
  pieces: Iterator<string>,
  separator: Separator,
): Generator<CsvLine> {
  let text = start;
  let at = 0;
  let line = 1;
  let complete = false;
  for (;;) {
    const { fields, cut, end, newlines } = readLine(text, at, separator);
    // What reaches the end of the text may go on in the next piece.
    if (!complete && end >= text.length) {
      [text, complete] = withMore(text.slice(at), pieces);
      at = 0;
      continue;
    }
    if (at >= text.length) return;
    if (fields.some((field) => field !== '')) yield { line, fields, cut };
    line += newlines + 1;
    at = end;
  }
}

/** At least twice as much text, so that a long line is not read anew for every piece; and whether that is all. */
function withMore(rest: string, pieces: Iterator<string>): [text: string, complete: boolean] {
  let text = rest;
  for (;;) {
    const next = pieces.next();
    if (next.done) return [text, true];
    text += next.value;
    if (text.length > 2 * rest.length) return [text, false];
  }
}

/** One line of the text, and where the next one begins. */
function readLine(text: string, start: number, separator: Separator) {
  const fields: string[] = [];
  let at = start;
  let newlines = 0;
  for (;;) {
    const field = text[at] === '"' ? quotedField(text, at) : plainField(text, at, separator);
    fields.push(field.value.slice(0, MAX_FIELD_CHARS));
    newlines += field.newlines;
    at = field.end;
    if (text[at] === separator) {
      at += 1;
      continue;
    }
    if (text[at] === '\r' && text[at + 1] === '\n') at += 1;
    return { fields, newlines, cut: field.cut, end: at + 1 };
  }
}

/** What ends a field without quotes. */
const STOPS: Readonly<Record<Separator, RegExp>> = {
  ',': /[,\r\n]/g,
  ';': /[;\r\n]/g,
  '\t': /[\t\r\n]/g,
};

interface ReadField {
  readonly value: string;
  readonly end: number;
  readonly newlines: number;
  readonly cut: boolean;
}

function plainField(text: string, start: number, separator: Separator): ReadField {
  const stops = STOPS[separator];
  stops.lastIndex = start;
  const end = stops.test(text) ? stops.lastIndex - 1 : text.length;
  return { value: text.slice(start, end), end, newlines: 0, cut: false };
}

/** What follows the closing quote up to the separator belongs to the field, as spreadsheets read it. */
function quotedField(text: string, start: number): ReadField {
  let value = '';
  let at = start + 1;
  let cut = false;
  for (;;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) {
      // Never closed: the rest of the file would be one field.
      value += text.slice(at);
      at = text.length;
      cut = true;
      break;
    }
    value += text.slice(at, quote);
    if (text[quote + 1] !== '"') {
      at = quote + 1;
      break;
    }
    value += '"';
    at = quote + 2;
  }
  const newlines = value.match(/\r\n|\n|\r/g)?.length ?? 0;
  return { value, end: at, newlines, cut };
}

/** The rows of a file, of which the first piece has its first line. A first line with names of columns says their order; without it they stand in ours. */
export function* readRows(pieces: Iterable<string>): Generator<CsvRow> {
  const all = pieces[Symbol.iterator]();
  const first = all.next();
  const start = first.done ? '' : first.value.replace(/^\ufeff/, '');
  let order: readonly (Column | null)[] | null = null;
  for (const { line, fields, cut } of readLines(start, all, separatorOf(start))) {
    if (order === null) {
      if (NAMES_SEPARATOR.test(fields[0] ?? '') && fields.slice(1).join('') === '') continue;
      const named = fields.map(columnOf);
      order = named.includes('name') ? named : ORDER;
      if (named.includes('name')) continue;
    }
    const found = cut ? { reason: 'cut', value: fields[0] ?? '' } : readRow(fields, order);
    yield 'reason' in found ? { line, fault: found } : { line, ...found };
  }
}

function columnOf(heading: string): Column | null {
  const name = heading.trim().toLowerCase();
  return ORDER.find((column) => COLUMNS[column].some((known) => known === name)) ?? null;
}

function readRow(fields: readonly string[], order: readonly (Column | null)[]): ReadRow | CsvFault {
  const given = (column: Column): string | undefined => fields[order.indexOf(column)];
  const field = (column: Column): string => {
    const text = given(column) ?? '';
    return text.replace(QUOTED_FORMULA, '$1').trim();
  };
  const typed = field('name');
  if (typed === '') return { reason: 'noName', value: '' };
  const name = typed.length > MAX_NAME_LENGTH ? null : parseAliasName(typed);
  if (name === null) return { reason: 'name', value: typed };
  const targets = new Set<string>();
  for (const word of field('targets').split(/[\s,;]+/)) {
    if (word === '') continue;
    const target = word.length > MAX_NAME_LENGTH ? null : parseTarget(word);
    if (target === null) return { reason: 'target', value: word };
    targets.add(target);
  }
  if (targets.size === 0) return { reason: 'noTarget', value: typed };
  if (targets.size > MAX_TARGETS) return { reason: 'tooMany', value: typed };
  const note = field('note').normalize('NFC');
  if (CONTROL.test(note) || note.includes('\ufffd')) return { reason: 'note', value: typed };
  if (note.length > MAX_NOTE_LENGTH) return { reason: 'noteLength', value: typed };
  const state = field('enabled').toLowerCase();
  if (!YES.includes(state) && !NO.includes(state)) return { reason: 'enabled', value: state };
  const without = (['note', 'enabled'] as const).filter((column) => given(column) === undefined);
  return { values: { name, targets: [...targets], note, enabled: YES.includes(state) }, without };
}

/** The line of names, with the mark by which spreadsheets know that the file is UTF-8. */
export function csvHead(separator: Separator): string {
  return `\ufeff${ORDER.join(separator)}\r\n`;
}

/** One alias as a line that `readRows` reads back as it was. */
export function csvLine(
  { name, targets, note, enabled }: AliasValues,
  separator: Separator,
): string {
  const shown = targets.map(displayAddress).join(' ');
  const fields = [displayAddress(name), shown, note, enabled ? 'yes' : 'no'];
  return `${fields.map((field) => csvField(field, separator)).join(separator)}\r\n`;
}

function csvField(value: string, separator: Separator): string {
  const safe = FORMULA.test(value) ? `'${value}` : value;
  const plain = !safe.includes(separator) && !/["\r\n]/.test(safe) && safe === safe.trim();
  return plain ? safe : `"${safe.replaceAll('"', '""')}"`;
}
