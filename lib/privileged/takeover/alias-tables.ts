/** The entries of alias files and tables, from their text: what is compiled beside it may be older (aliases(5), virtual(5)). */
import { open } from 'node:fs/promises';
import { splitList } from '../../sections/elements.js';
import { expand } from '../../sections/expand.js';
import type { AliasTable, WrittenAlias } from '../../takeover/inventory.js';
import { hasCode } from '../files.js';
import type { ConfigView } from '../postfix/config-view.js';

/** Kinds of tables that are built from a text of plain entries. */
const PLAIN_TYPES = /^(?:hash|btree|lmdb|cdb|dbm|texthash)$/;
/** Bytes of a text that are read, and entries that are looked at. */
const MAX_TEXT_BYTES = 4 * 1024 * 1024;
const MAX_ENTRIES = 5_000;

export async function readAliasTables(view: ConfigView): Promise<AliasTable[]> {
  const names = ['alias_maps', 'virtual_alias_maps'] as const;
  const elements = names.flatMap((parameter) =>
    splitList(expand(view.parameter(parameter), view)).map((element) => ({ parameter, element })),
  );
  const ours = `${view.paths.configDir}/mailserver.d/`;
  return Promise.all(
    elements
      .filter(({ element }) => !element.includes(ours))
      .map(async ({ parameter, element }): Promise<AliasTable> => {
        const match = /^(?:proxy:)?([a-z]+):(.*)$/s.exec(element);
        const [, type = '', rest = ''] = match ?? [];
        const table = { parameter, element, type };
        if (!PLAIN_TYPES.test(type) || !rest.startsWith('/')) {
          return { ...table, entries: null, cut: false };
        }
        const text = await readStart(rest);
        if (text === null) return { ...table, entries: null, cut: false };
        const entries =
          parameter === 'alias_maps' ? parseAliases(text, rest) : parseTable(text, rest);
        return {
          ...table,
          entries: entries.slice(0, MAX_ENTRIES),
          cut: entries.length > MAX_ENTRIES,
        };
      }),
  );
}

/** Null when there is no such file. */
async function readStart(file: string): Promise<string | null> {
  try {
    const handle = await open(file);
    try {
      if (!(await handle.stat()).isFile()) return null;
      const buffer = Buffer.alloc(MAX_TEXT_BYTES);
      const { bytesRead } = await handle.read(buffer, 0, MAX_TEXT_BYTES, 0);
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return null;
    throw error;
  }
}

interface Entry {
  readonly text: string;
  readonly line: number;
}

function entriesOf(text: string): Entry[] {
  const entries: { text: string; line: number }[] = [];
  text.split('\n').forEach((line, index) => {
    if (/^\s*(?:#|$)/.test(line)) return;
    const last = entries.at(-1);
    if (/^\s/.test(line) && last !== undefined) last.text += ` ${line.trim()}`;
    else entries.push({ text: line.trim(), line: index + 1 });
  });
  return entries;
}

/** `name: target, target` */
export function parseAliases(text: string, file: string): WrittenAlias[] {
  return entriesOf(text).flatMap(({ text: entry, line }) => {
    const match = /^(?:"([^"]+)"|([^:\s]+))\s*:\s*(.*)$/s.exec(entry);
    const name = match?.[1] ?? match?.[2];
    return name === undefined
      ? []
      : [{ name, targets: splitTargets(match?.[3] ?? ''), where: { file, line } }];
  });
}

/** `name target, target` */
export function parseTable(text: string, file: string): WrittenAlias[] {
  return entriesOf(text).flatMap(({ text: entry, line }) => {
    const match = /^(?:"([^"]+)"|(\S+))\s+(.+)$/s.exec(entry);
    const name = match?.[1] ?? match?.[2];
    return name === undefined
      ? []
      : [{ name, targets: splitTargets(match?.[3] ?? ''), where: { file, line } }];
  });
}

/** Commas divide, and blanks where there is no quoted command. */
function splitTargets(value: string): string[] {
  return [...value.matchAll(/"(?:[^"\\]|\\.)*"|[^,\s"]+/g)].map(([target]) => target);
}
