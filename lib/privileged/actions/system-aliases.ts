/** `system-aliases`: what stands in the system's own aliases file (aliases(5)). Reads it, changes nothing. */
import { stat } from 'node:fs/promises';
import Joi from 'joi';
import { readText } from '../files.js';
import { defineAction } from './action.js';

/** Entries that are shown; what is behind them is counted. */
const MAX_ENTRIES = 2_000;

export const systemAliasesAction = defineAction({
  quiet: true,
  timeoutMs: 10_000,
  params: Joi.object<Record<string, never>>({}),
  run: async (_params, { paths }) => {
    const entries = parseAliases((await readText(paths.aliases)) ?? '');
    const unread = await isUnread(paths.aliases);
    return { entries: entries.slice(0, MAX_ENTRIES), count: entries.length, unread };
  },
});

/** Ends of the tables that postalias(1) makes of it. */
const TABLES = ['.db', '.lmdb', '.cdb'];

/** Whether it was edited after postalias(1) read it last; false where no table of it is there to be compared. */
export async function isUnread(file: string): Promise<boolean> {
  const timeOf = async (name: string): Promise<number | null> =>
    (await stat(name).catch(() => null))?.mtimeMs ?? null;
  const tables = await Promise.all(TABLES.map((end) => timeOf(file + end)));
  const read = tables.filter((time) => time !== null);
  const edited = await timeOf(file);
  return edited !== null && read.length > 0 && read.every((time) => time < edited);
}

/** Logical lines `name: value`; comments and lines without a name are passed over. */
export function parseAliases(text: string): { readonly name: string; readonly value: string }[] {
  const lines: string[] = [];
  for (const line of text.split('\n')) {
    if (/^\s*(#|$)/.test(line)) continue;
    if (/^\s/.test(line)) lines.push(`${lines.pop() ?? ''} ${line.trim()}`);
    else lines.push(line);
  }
  return lines.flatMap((line) => {
    const match = /^(?:"([^"]+)"|([^:\s]+))\s*:\s*(.+)$/.exec(line);
    const name = match?.[1] ?? match?.[2];
    return name === undefined ? [] : [{ name: name.toLowerCase(), value: match?.[3] ?? '' }];
  });
}
