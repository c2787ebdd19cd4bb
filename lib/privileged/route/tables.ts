/** Asks the lookup tables that a parameter names, as the running Postfix does: with its own configuration and services. */
import { splitList } from '../../sections/elements.js';
import { readText } from '../files.js';
import { runNative } from '../native.js';
import type { Paths } from '../paths.js';
import { POSTCONF } from '../postfix/config-view.js';
import { POSTMAP } from '../apply/tables.js';

/** How long one table may take, in milliseconds: it may be a server elsewhere. */
const ASK_TIMEOUT_MS = 10_000;

/** The users of the machine, as local(8) knows them. */
export const USERS = 'unix:passwd.byname';

export interface Found {
  readonly value: string;
  /** The table that had it. */
  readonly table: string;
}

/** A table that could not be asked, in the words of postmap(1). */
export interface Unasked {
  readonly table: string;
  readonly words: string;
}

export interface Tables {
  /** The value of a parameter as Postfix uses it, with every `$name` in it resolved. */
  parameter(name: string): string;
  /** `forward_path` as it is set: what stands in it for the user is no parameter. */
  readonly forwardPath: string;
  /** What the first table of the list that has it says, by key; all tables are asked for all keys at once. */
  ask(parameter: string, keys: readonly string[]): Promise<ReadonlyMap<string, Found>>;
  /** Asks one table. */
  askTable(table: string, keys: readonly string[]): Promise<ReadonlyMap<string, string>>;
  readonly unasked: readonly Unasked[];
}

/** On Debian `myorigin` may name a file whose first line it is, by default /etc/mailname. Null when it is no path. */
export async function originOf(value: string): Promise<string | null> {
  if (!value.startsWith('/')) return null;
  return ((await readText(value).catch(() => null)) ?? '').split('\n', 1)[0]?.trim() ?? '';
}

/** `running`: proxymap(8) can be asked; else its tables are opened here. */
export async function openTables(
  paths: Paths,
  names: readonly string[],
  running: boolean,
): Promise<Tables> {
  const [answer, forward] = await Promise.all([
    runNative(POSTCONF, ['-c', paths.configDir, '-x', ...names]),
    runNative(POSTCONF, ['-c', paths.configDir, '-h', 'forward_path']),
  ]);
  const values = new Map(
    answer.stdout.split('\n').flatMap((line) => {
      const match = /^(\S+) =(?: (.*))?$/.exec(line);
      return match ? [[match[1] ?? '', match[2] ?? ''] as const] : [];
    }),
  );
  const origin = await originOf(values.get('myorigin') ?? '');
  if (origin !== null) values.set('myorigin', origin);
  const parameter = (name: string): string => (values.get(name) ?? '').trim();
  const unasked = new Map<string, Unasked>();
  const known = new Map<string, Map<string, string | null>>();

  const askTable = async (table: string, keys: readonly string[]) => {
    const answers = known.get(table) ?? new Map<string, string | null>();
    known.set(table, answers);
    const fresh = [...new Set(keys)].filter((key) => !answers.has(key));
    if (fresh.length > 0) {
      const { found, words } = await postmap(paths, running ? table : withoutProxy(table), fresh);
      if (words !== '') unasked.set(table, { table, words });
      for (const key of fresh) answers.set(key, found.get(key) ?? null);
    }
    return new Map(
      keys.flatMap((key) => {
        const value = answers.get(key) ?? null;
        return value === null ? [] : [[key, value] as const];
      }),
    );
  };

  return {
    parameter,
    forwardPath: forward.stdout.trim(),
    askTable,
    ask: async (name, keys) => {
      const found = new Map<string, Found>();
      for (const table of splitList(parameter(name))) {
        const open = keys.filter((key) => !found.has(key));
        if (open.length === 0) break;
        if (!table.includes(':')) continue;
        for (const [key, value] of await askTable(table, open)) found.set(key, { value, table });
      }
      return found;
    },
    get unasked() {
      return [...unasked.values()];
    },
  };
}

function withoutProxy(table: string): string {
  return table.replace(/^proxy:/, '');
}

/** `postmap -q -` prints a line `key<tab>value` for every key there is, and ends with 1 when one is not. */
/** A parameter that stands twice: postconf(1) has told, and every tool repeats it. */
const ABOUT_MAIN_CF = /warning: \S+, line \d+: overriding earlier entry: /;

async function postmap(
  paths: Paths,
  table: string,
  keys: readonly string[],
): Promise<{ readonly found: ReadonlyMap<string, string>; readonly words: string }> {
  const answer = await runNative(POSTMAP, ['-c', paths.configDir, '-q', '-', table], {
    timeoutMs: ASK_TIMEOUT_MS,
    input: keys.map((key) => `${key}\n`),
  });
  const found = new Map(
    answer.stdout.split('\n').flatMap((line) => {
      const tab = line.indexOf('\t');
      return tab < 0 ? [] : [[line.slice(0, tab), line.slice(tab + 1)] as const];
    }),
  );
  if (answer.code === null) return { found, words: 'timed out' };
  // What is wrong with main.cf itself says nothing about this table.
  const said = answer.stderr.split('\n').filter((line) => !ABOUT_MAIN_CF.test(line));
  return { found, words: said.join('\n').trim() };
}
