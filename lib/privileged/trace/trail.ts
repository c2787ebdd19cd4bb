/** Follows one mail through the log: every line of its queue id, and of the ids it had before and after. */
import { parseLine } from '../../trace/line.js';
import { idsOf } from '../../trace/links.js';
import {
  MAX_LINE_LENGTH,
  MAX_LINKED_IDS,
  MAX_MESSAGE_LINES,
  type FoundMessage,
  type LogLine,
} from '../../trace/schema.js';
import { blocksAfter, blocksBefore, comparePlaces, type Place } from './blocks.js';
import type { LogFiles } from './log-files.js';

const NEAR = { first: 64 * 1024, most: 4 * 1024 * 1024 };
/** A mail that waits longer than this before one of its lines began before that: its beginning is not looked for further. */
const MAX_WAIT_S = 15 * 86_400;
/** How far before the line of its Message-ID a mail may have begun, in bytes: a slow client sends for a while. */
const BEFORE_ID_BYTES = 8 * 1024 * 1024;
/** How far after its last line another mail may still name it, in bytes. */
const AFTER_END_BYTES = 128 * 1024;
/** Our own probe's lines are no mail. */
export const PROBE = 'mailserver-probe';

/** A line with where it stands. */
export interface PlacedLine extends LogLine {
  readonly place: Place;
}

/** From where to where in the log an id meant this mail: short ids are used again. */
export interface Stretch {
  readonly from: Place;
  readonly to: Place;
}

export interface Trail {
  readonly message: FoundMessage;
  readonly stretches: ReadonlyMap<string, Stretch>;
}

/** The whole mail that `id` meant at that place. `alive` throws when the search is over. */
export async function followMail(
  files: LogFiles,
  id: string,
  place: Place,
  alive: () => void,
): Promise<Trail> {
  const lines = new Map<string, PlacedLine>();
  const stretches = new Map<string, Stretch>();
  const next = [{ id, place }];
  let headless = false;
  for (let at = next.shift(); at !== undefined; at = next.shift()) {
    if (stretches.has(at.id) || stretches.size >= MAX_LINKED_IDS) continue;
    const leg = await followId(files, at.id, at.place, alive);
    const own = leg.lines.filter(({ own: isOwn }) => isOwn);
    const first = own[0];
    const last = own.at(-1);
    if (first === undefined || last === undefined) continue;
    stretches.set(at.id, { from: first.line.place, to: last.line.place });
    if (leg.headless) headless = true;
    for (const { line, linked } of leg.lines) {
      lines.set(`${line.place.piece}:${line.place.at}`, line);
      for (const other of linked) next.push({ id: other, place: line.place });
    }
  }
  const sorted = [...lines.values()].sort((a, b) => comparePlaces(a.place, b.place));
  const ids = [...stretches.entries()]
    .sort(([, a], [, b]) => comparePlaces(a.from, b.from))
    .map(([name]) => name);
  return { message: cut(ids, sorted, headless), stretches };
}

function cut(
  ids: readonly string[],
  lines: readonly PlacedLine[],
  headless: boolean,
): FoundMessage {
  const plain = lines.map(({ at, program, text }) => ({ at, program, text }));
  const leftOut = Math.max(0, plain.length - MAX_MESSAGE_LINES);
  const half = MAX_MESSAGE_LINES / 2;
  const kept = leftOut === 0 ? plain : [...plain.slice(0, half), ...plain.slice(-half)];
  return { ids, lines: kept, leftOut, headless };
}

interface LegLine {
  readonly line: PlacedLine;
  /** The id is what the line is about; otherwise another mail's line names it. */
  readonly own: boolean;
  readonly linked: readonly string[];
}

interface Leg {
  readonly lines: readonly LegLine[];
  readonly headless: boolean;
}

/** All lines of one id around a place, the oldest first. */
async function followId(
  files: LogFiles,
  id: string,
  place: Place,
  alive: () => void,
): Promise<Leg> {
  const older = await lookBack(files, id, place, alive);
  const newer = await lookAhead(files, id, place, older.ended, alive);
  return { lines: [...older.lines.reverse(), ...newer], headless: older.headless };
}

/** From the line at `place`, which counts, to the birth of the id. */
async function lookBack(
  files: LogFiles,
  id: string,
  place: Place,
  alive: () => void,
): Promise<{ lines: LegLine[]; ended: boolean; headless: boolean }> {
  const lines: LegLine[] = [];
  let ended = false;
  let begun = false;
  let bytesLeft = Number.POSITIVE_INFINITY;
  let newest: number | null = null;
  for await (const block of blocksBefore(files, await afterLine(files, place), NEAR)) {
    alive();
    const end = files.endOf(block.piece);
    for (const { at, text } of linesWith(block.text, id).reverse()) {
      const found = readLine(text, { piece: block.piece, at: block.at + at }, id, end);
      if (found === null) continue;
      const { line, own } = found;
      newest ??= line.at;
      if (newest - line.at > MAX_WAIT_S) return { lines, ended, headless: !begun };
      // The end of a mail that had the same id before.
      if (own && begun && isEnd(line.text)) return { lines, ended, headless: false };
      lines.push(found);
      if (!own) continue;
      if (isEnd(line.text)) ended = true;
      if (isBirth(line)) return { lines, ended, headless: false };
      if (isMessageId(line)) {
        begun = true;
        bytesLeft = BEFORE_ID_BYTES;
      }
    }
    bytesLeft -= block.text.length;
    if (bytesLeft <= 0) break;
    const time = parseLine(block.text.slice(0, 200).split('\n', 1)[0] ?? '', end)?.at;
    if (time !== undefined && newest !== null && newest - time > MAX_WAIT_S) break;
  }
  return { lines, ended, headless: !begun };
}

/** From behind the line at `place` to the end of the mail, or of the log. */
async function lookAhead(
  files: LogFiles,
  id: string,
  place: Place,
  ended: boolean,
  alive: () => void,
): Promise<readonly LegLine[]> {
  const lines: LegLine[] = [];
  let bytesLeft = ended ? AFTER_END_BYTES : Number.POSITIVE_INFINITY;
  for await (const block of blocksAfter(files, await afterLine(files, place), NEAR)) {
    alive();
    const end = files.endOf(block.piece);
    for (const { at, text } of linesWith(block.text, id)) {
      const found = readLine(text, { piece: block.piece, at: block.at + at }, id, end);
      if (found === null) continue;
      // The id is used again.
      if (found.own && isBirth(found.line)) return lines;
      lines.push(found);
      if (found.own && isEnd(found.line.text)) bytesLeft = AFTER_END_BYTES;
    }
    bytesLeft -= block.text.length;
    if (bytesLeft <= 0) break;
  }
  return lines;
}

/** The place right behind the line that begins at `place`. */
async function afterLine(files: LogFiles, place: Place): Promise<Place> {
  for await (const block of blocksAfter(files, place, { first: 4096, most: 1024 * 1024 })) {
    if (block.piece !== place.piece) break;
    const newline = block.text.indexOf('\n');
    return { piece: place.piece, at: place.at + (newline < 0 ? block.text.length : newline + 1) };
  }
  return place;
}

/** Lines in which the id stands by itself, with where they begin in the text. */
function linesWith(text: string, id: string): { at: number; text: string }[] {
  const found: { at: number; text: string }[] = [];
  for (let at = text.indexOf(id); at >= 0;) {
    const start = text.lastIndexOf('\n', at) + 1;
    const newline = text.indexOf('\n', at);
    const end = newline < 0 ? text.length : newline;
    found.push({ at: start, text: text.slice(start, Math.min(end, start + MAX_LINE_LENGTH)) });
    at = text.indexOf(id, end);
  }
  return found;
}

/** Null for a line that names the id by chance, such as in somebody's address. */
function readLine(text: string, place: Place, id: string, end: number): LegLine | null {
  const parsed = readLogLine(text, end);
  if (parsed === null || parsed.program.includes(PROBE)) return null;
  const { own, linked } = idsOf(parsed);
  const line = { ...parsed, place };
  if (own === id) return { line, own: true, linked };
  if (linked.includes(id)) return { line, own: false, linked: own === '' ? [] : [own] };
  return noticeOf(parsed.text) === id ? { line, own: false, linked: [] } : null;
}

/** A line as it stands in the file, one character a byte. `end` is when the file ends, in seconds since 1970. */
export function readLogLine(text: string, end: number): LogLine | null {
  return parseLine(Buffer.from(text.slice(0, MAX_LINE_LENGTH), 'latin1').toString('utf8'), end);
}

/** The id of the notice that a line says was sent (bounce(8)); '' for any other line. */
function noticeOf(text: string): string {
  return /^[0-9A-Za-z]+: .*notification: ([0-9A-Za-z]+)$/.exec(text)?.[1] ?? '';
}

/** The first line of an id: a client, or a program on this machine, hands the mail in. */
function isBirth({ program, text }: LogLine): boolean {
  return (
    (program.endsWith('/smtpd') && / ?client=/.test(text.slice(0, 64))) ||
    (program.endsWith('/pickup') && /^\S+: uid=/.test(text)) ||
    (program.endsWith('/qmqpd') && /^\S+: client=/.test(text))
  );
}

function isMessageId({ program, text }: LogLine): boolean {
  return program.endsWith('/cleanup') && /^\S+: (?:resent-)?message-id=/.test(text);
}

function isEnd(text: string): boolean {
  return /^[0-9A-Za-z]+: (?:removed|expired)$/.test(text);
}
