/** main.cf and master.cf as they are written, with line numbers (postconf(5), master(5)). Pure. */
import type { WrittenParameter, WrittenService } from '../../takeover/inventory.js';

interface LogicalLine {
  readonly text: string;
  /** Of its first physical line, from 1. */
  readonly line: number;
}

/** A line that begins with a blank goes on with the one before; comments and empty lines may stand between. */
function logicalLines(text: string): LogicalLine[] {
  const lines: { parts: string[]; line: number }[] = [];
  text.split('\n').forEach((line, index) => {
    if (/^\s*(?:#|$)/.test(line)) return;
    const last = lines.at(-1);
    if (/^\s/.test(line) && last !== undefined) last.parts.push(line.trim());
    else lines.push({ parts: [line.trim()], line: index + 1 });
  });
  return lines.map(({ parts, line }) => ({ text: parts.join(' '), line }));
}

export function parseMainCf(text: string, file: string): WrittenParameter[] {
  return logicalLines(text).flatMap(({ text: logical, line }) => {
    const match = /^([^\s=]+)\s*=\s*(.*)$/s.exec(logical);
    return match?.[1] === undefined
      ? []
      : [{ name: match[1], value: (match[2] ?? '').trim(), where: { file, line } }];
  });
}

export function parseMasterCf(text: string, file: string): WrittenService[] {
  return logicalLines(text).flatMap(({ text: logical, line }) => {
    const words = wordsOf(logical);
    const [name, type, , , , , , command] = words;
    if (name === undefined || type === undefined || command === undefined) return [];
    const where = { file, line };
    return [{ name: `${name}/${type}`, command, where, options: optionsIn(words, where) }];
  });
}

/** Words between blanks; `{ ... }` is one (master(5), Postfix 3.0). */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/\{[^{}]*(?:\{[^}]*\}[^{}]*)*\}|[^\s{}]\S*/g)].map(([word]) => word);
}

function optionsIn(words: readonly string[], where: WrittenService['where']): WrittenParameter[] {
  return words.flatMap((word, index) => {
    const given =
      words[index - 1] === '-o' ? word : /^-o(?=[a-z])/.test(word) ? word.slice(2) : null;
    if (given === null) return [];
    const text = given.startsWith('{') ? given.slice(1, -1).trim() : given;
    const equals = text.indexOf('=');
    if (equals < 1) return [];
    return [{ name: text.slice(0, equals).trim(), value: text.slice(equals + 1).trim(), where }];
  });
}
