/**
 * What somebody typed into the fields of a form, before any of it means something.
 */
import type { Problem } from '../errors.js';

/** Longest value that a form shows again, in characters. What is longer is refused and shown cut. */
export const MAX_ECHO_CHARS = 4_000;
/** How much of a wrong value a message repeats, in characters. */
const MAX_QUOTE_CHARS = 60;

const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/u; // eslint-disable-line no-control-regex
const CONTROLS = new RegExp(CONTROL, 'gu');
const OUTER_BLANK = /^\s|\s$/u;

export type FieldValues = Readonly<Record<string, string>>;

export interface Fields {
  /** Only the fields that were sent: a field that is missing keeps its setting. */
  readonly values: FieldValues;
  readonly problems: readonly Problem[];
}

/**
 * Takes the named fields of a parsed body; any other is not looked at. Refuses what no one-line field may hold:
 * repeated fields, control characters, blanks around the value, text that is no UTF-8.
 */
export function readFields(body: unknown, names: readonly string[]): Fields {
  const given = (body ?? {}) as Readonly<Record<string, unknown>>;
  const values: Record<string, string> = {};
  const problems: Problem[] = [];
  for (const name of names) {
    if (!Object.hasOwn(given, name)) continue;
    const value = given[name];
    const text = typeof value === 'string' ? value : firstText(value);
    values[name] = text.slice(0, MAX_ECHO_CHARS);
    const key = typeof value === 'string' ? faultOf(value) : 'problem.repeated';
    if (key !== null) {
      const length = text.length;
      problems.push({ key, field: name, values: { length, limit: MAX_ECHO_CHARS } });
    }
  }
  return { values, problems };
}

/** The first of several values of one field, so that the form can show something again. */
function firstText(value: unknown): string {
  const first: unknown = Array.isArray(value) ? value[0] : '';
  return typeof first === 'string' ? first : '';
}

function faultOf(value: string): string | null {
  if (value.length > MAX_ECHO_CHARS) return 'problem.tooLong';
  if (value.includes('\ufffd')) return 'problem.encoding';
  if (CONTROL.test(value)) return 'problem.control';
  if (OUTER_BLANK.test(value)) return 'problem.blank';
  return null;
}

/** A value for use inside a sentence: one line, not too long. */
export function quote(value: string): string {
  const line = value.replace(CONTROLS, '␣');
  return line.length > MAX_QUOTE_CHARS ? `${line.slice(0, MAX_QUOTE_CHARS)}…` : line;
}

/** One value of a parsed body when it is a plain string, else ''. For buttons and hidden fields. */
export function oneText(body: unknown, name: string): string {
  const given = (body ?? {}) as Readonly<Record<string, unknown>>;
  const value = Object.hasOwn(given, name) ? given[name] : '';
  return typeof value === 'string' ? value : '';
}

/** Every value of a repeatable field, such as ticked rows. */
export function allTexts(body: unknown, name: string): readonly string[] {
  const given = (body ?? {}) as Readonly<Record<string, unknown>>;
  const value = Object.hasOwn(given, name) ? given[name] : [];
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.filter((item): item is string => typeof item === 'string');
}
