/**
 * The console's settings between starts: `NAME="value"` lines that systemd reads as an environment file
 * (systemd.exec(5)). For root alone, because the address of a database holds its password.
 */
import { readText, replaceFile } from '../privileged/files.js';

export type Settings = Readonly<Record<string, string>>;

/** None when there is no file. */
export async function readSettings(file: string): Promise<Settings> {
  const text = (await readText(file)) ?? '';
  const pairs = text.split('\n').flatMap((line) => {
    const match = /^([A-Z][A-Z0-9_]*)=(.*)$/.exec(line.trim());
    return match ? [[match[1] ?? '', unquote(match[2] ?? '')] as const] : [];
  });
  return Object.fromEntries(pairs);
}

/** Keeps the lines and comments of the file that say something else. Returns whether anything changed. */
export async function writeSettings(file: string, settings: Settings): Promise<boolean> {
  const before = (await readText(file)) ?? '';
  const left = new Map(Object.entries(settings));
  // Whoever edits by hand may leave the last line without its end.
  const whole = before.replace(/\n$/, '');
  const present = whole === '' ? [] : whole.split('\n');
  const lines = present.map((line) => {
    const name = line.slice(0, Math.max(0, line.indexOf('='))).trim();
    const value = left.get(name);
    if (value === undefined) return line;
    left.delete(name);
    return `${name}=${quote(value)}`;
  });
  const added = [...left].map(([name, value]) => `${name}=${quote(value)}`);
  const after = [...lines, ...added, ''].join('\n');
  if (after === before) return false;
  await replaceFile(file, after, { uid: 0, gid: 0, mode: 0o600 });
  return true;
}

/** Throws for what would be a line of its own. */
function quote(value: string): string {
  if (/[\n\r\0]/.test(value)) throw new Error('a setting must be one line');
  return `"${value.replace(/["\\$`]/g, '\\$&')}"`;
}

function unquote(text: string): string {
  const double = /^"(.*)"$/.exec(text)?.[1];
  return double === undefined
    ? (/^'(.*)'$/.exec(text)?.[1] ?? text)
    : double.replace(/\\(["\\$`])/g, '$1');
}
