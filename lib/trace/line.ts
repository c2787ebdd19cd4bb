/** Takes a line of the mail log apart: rsyslog's and postlogd's classic form, RFC 3339, and the journal's ISO form. */

export interface ParsedLine {
  /** Seconds since 1970. */
  readonly at: number;
  readonly program: string;
  readonly text: string;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const CLASSIC = /^([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d) /;
const ISO = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,]\d{1,9})?(Z|[+-]\d\d:?\d\d)? /;
const REST = /^\S+ ([^\s:[\]]+)(?:\[\d+\])?: ?(.*)$/s;
/** So far ahead of its file's last change a line may lie, in seconds: clocks are set, zones differ. */
const AHEAD_S = 86_400;

/**
 * The moment of a line in seconds since 1970; null for a line without one. The classic form names no year and no zone:
 * it is the latest year that does not put the line after `before` (seconds), in the machine's own zone.
 */
export function timeOf(line: string, before: number): number | null {
  const classic = CLASSIC.exec(line);
  if (classic) return classicTime(classic, before);
  const iso = ISO.exec(line);
  if (!iso) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = iso
    .slice(1, 7)
    .map(Number);
  const zone = iso[7];
  const time =
    zone === undefined
      ? new Date(year, month - 1, day, hour, minute, second).getTime()
      : Date.UTC(year, month - 1, day, hour, minute, second) - offsetOf(zone);
  return Number.isNaN(time) ? null : Math.floor(time / 1000);
}

function classicTime(match: RegExpExecArray, before: number): number | null {
  const month = MONTHS.indexOf(match[1] ?? '');
  if (month < 0) return null;
  const [day = 0, hour = 0, minute = 0, second = 0] = match.slice(2, 6).map(Number);
  const inYear = (year: number): number =>
    new Date(year, month, day, hour, minute, second).getTime() / 1000;
  const year = new Date(before * 1000).getFullYear() + 1;
  for (const candidate of [year, year - 1, year - 2]) {
    // The 29th of February is only in its own years.
    const at = inYear(candidate);
    if (at <= before + AHEAD_S && new Date(at * 1000).getMonth() === month) return at;
  }
  return inYear(year - 2);
}

function offsetOf(zone: string): number {
  if (zone === 'Z') return 0;
  const [hours, minutes] = [Number(zone.slice(1, 3)), Number(zone.slice(-2))];
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}

/** Null for what is no line of a log: a continuation, a cut one. */
export function parseLine(line: string, before: number): ParsedLine | null {
  const stamp = CLASSIC.exec(line) ?? ISO.exec(line);
  const at = timeOf(line, before);
  if (stamp === null || at === null) return null;
  const [, program, text] = REST.exec(line.slice(stamp[0].length)) ?? [];
  return program === undefined ? null : { at, program, text: text ?? '' };
}
