/**
 * Lines of ours in files that are not: `Name value`, one a line, as ClamAV's programs have them. Everything else in such a
 * file stays as it is, to the byte.
 */
import { readFileSync } from 'node:fs';
import type { SectionOutput } from '../../sections/section.js';
import { hasCode } from '../files.js';
import type { Paths } from '../paths.js';
import type { Replacement } from './journal.js';

/** By path below the root, then by name; null: no such line. */
export type Directives = ReadonlyMap<string, ReadonlyMap<string, string | null>>;

/** Between path and name where both are one key; in neither of them. */
const SEPARATOR = ':';

export function directiveKey(file: string, name: string): string {
  return file + SEPARATOR + name;
}

export function splitDirectiveKey(key: string): { readonly file: string; readonly name: string } {
  const at = key.indexOf(SEPARATOR);
  return { file: key.slice(0, at), name: key.slice(at + 1) };
}

/** What the file says; the first line of a name counts. Empty without the file. */
export function readDirectives(file: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const line of textOf(file).split('\n')) {
    const [, name, value] = LINE.exec(line) ?? [];
    if (name !== undefined && !found.has(name)) found.set(name, value ?? '');
  }
  return found;
}
const LINE = /^([A-Za-z]\w*)[ \t]+(\S.*?)[ \t]*$/;

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return '';
    throw error;
  }
}

/** The text with these lines as they should be: in the place of the first of their name, else at the end. */
export function withDirectives(text: string, wanted: ReadonlyMap<string, string | null>): string {
  const open = new Map(wanted);
  const seen = new Set<string>();
  const lines = text.split('\n').flatMap((line) => {
    const name = LINE.exec(line)?.[1];
    if (name === undefined || !wanted.has(name)) return [line];
    if (seen.has(name)) return [];
    seen.add(name);
    const value = wanted.get(name) ?? null;
    open.delete(name);
    return value === null ? [] : [`${name} ${value}`];
  });
  const added = [...open].flatMap(([name, value]) => (value === null ? [] : [`${name} ${value}`]));
  if (added.length === 0) return lines.join('\n');
  while (lines.at(-1) === '') lines.pop();
  return [...lines, ...added, ''].join('\n');
}

/** By key, what a section's output says. */
export function directivesOf({ directives = {} }: SectionOutput): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(directives).flatMap(([file, lines]) =>
      Object.entries(lines).map(([name, value]) => [directiveKey(file, name), value] as const),
    ),
  );
}

/** Replacements for the files whose lines differ from what they should be. */
export function planDirectives(
  wanted: ReadonlyMap<string, string | null>,
  paths: Paths,
): readonly Replacement[] {
  const files = new Map<string, Map<string, string | null>>();
  for (const [key, value] of wanted) {
    const { file, name } = splitDirectiveKey(key);
    files.set(file, (files.get(file) ?? new Map<string, string | null>()).set(name, value));
  }
  return [...files].flatMap(([name, lines]) => {
    const file = paths.root + name;
    const before = textOf(file);
    const content = withDirectives(before, lines);
    return content === before ? [] : [{ file, content, status: null, before }];
  });
}
