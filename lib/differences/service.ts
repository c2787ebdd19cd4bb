/** What was edited by hand since we wrote it, and what becomes of it: kept, taken into the settings, or overwritten. */
import type { Knex } from 'knex';
import type { Intent, TouchedRow } from '../changes/change.js';
import { noHelper } from '../changes/failures.js';
import type { Changes } from '../changes/service.js';
import type { Helper } from '../client/helper.js';
import { UserError, type Problem } from '../errors.js';
import type { Machine } from '../machine/service.js';
import type { ResultOf } from '../privileged/actions/index.js';
import type { Holding } from '../settings/holding.js';

/** One hand edit, as the helper reports it. */
export interface HandEdit {
  readonly kind: 'parameter' | 'list' | 'master' | 'table' | 'file' | 'directive';
  readonly section: string;
  readonly name: string;
  /** What the settings say; null: nothing, or nothing that can be shown. */
  readonly ours: string | null;
  readonly theirs: string | null;
  readonly digest: string;
}

export type Decision = 'keep' | 'take' | 'overwrite';

/** An edit as somebody saw it. */
export interface ChosenEdit {
  readonly name: string;
  readonly digest: string;
}

export interface Offer {
  readonly edit: HandEdit;
  readonly choices: readonly Decision[];
  /** Why it cannot be taken into the settings, where it says what no form could. */
  readonly problems: readonly Problem[];
}

export interface DifferencesService {
  /** Throws `HelperError` when the helper is away. */
  list(): Promise<readonly HandEdit[]>;
  /** What can become of each edit. Throws `HelperError` when the helper is away. */
  offers(edits: readonly HandEdit[]): Promise<readonly Offer[]>;
  /** All chosen edits must be as they were shown (`digest`). Throws `UserError` when one is not, or cannot become that. */
  decide(decision: Decision, chosen: readonly ChosenEdit[], actor: string): Promise<void>;
}

/** By section: looks what somebody wrote into a table of ours, and gives what makes rows of it. */
export type TableTaker = (
  table: string,
  actor: string,
) => Promise<(trx: Knex.Transaction) => Promise<readonly TouchedRow[]>>;

type Readings = ResultOf<'read'>['sections'];
type Digests = Readonly<Record<string, string>>;

export function createDifferencesService(parts: {
  readonly helper: Helper | null;
  readonly changes: Pick<Changes, 'save'>;
  readonly machine: Pick<Machine, 'forget'>;
  readonly holdings: readonly Holding[];
  readonly tables: ReadonlyMap<string, TableTaker>;
}): DifferencesService {
  const { helper, changes, machine, holdings, tables } = parts;

  const asked = (): Helper => {
    if (helper === null) throw noHelper();
    return helper;
  };
  const list = async (): Promise<readonly HandEdit[]> =>
    asked().call('drift', {}, { actor: 'pages' });

  const holdingOf = (section: string): Holding => {
    const holding = holdings.find((one) => one.section === section);
    if (!holding) throw new UserError({ key: 'differences.error.cannotTake', values: {} });
    return holding;
  };

  const choices = ({ kind, section }: HandEdit): readonly Decision[] => {
    // A table is ours as a whole: the next save of one entry would write over what was left in it.
    if (kind === 'table') return tables.has(section) ? ['take', 'overwrite'] : ['overwrite'];
    const settable =
      kind !== 'file' &&
      kind !== 'directive' &&
      holdings.some((one) => one.section === section && 'fromMachine' in one);
    return settable ? ['keep', 'take', 'overwrite'] : ['keep', 'overwrite'];
  };

  /** What the machine says with these edits and without all others. */
  const readWith = async (sections: readonly string[], edits: readonly string[], actor: string) =>
    (await asked().call('read', { sections, edits }, { actor })).sections;

  /** A section that was never saved gets its first settings: the machine's own. */
  const firstRows = async (
    trx: Knex.Transaction,
    sections: readonly string[],
    readings: Readings,
    actor: string,
  ): Promise<readonly TouchedRow[]> => {
    const touched: TouchedRow[] = [];
    for (const section of sections) {
      const holding = holdings.find((one) => one.section === section);
      if (!holding || (await holding.read(trx)) !== null) continue;
      const value = holding.fromMachine?.(readings[section]?.settings, null) ?? null;
      if (value !== null) touched.push(...(await holding.write(trx, value, actor)));
    }
    return touched;
  };

  const overwriting = async (
    edits: readonly HandEdit[],
    sections: readonly string[],
    actor: string,
  ): Promise<Pick<Intent, 'overwrite' | 'write'>> => {
    const readings = await readWith(sections, [], actor);
    return {
      overwrite: digestsOf(edits),
      write: (trx) => firstRows(trx, sections, readings, actor),
    };
  };

  const taking = async (
    edits: readonly HandEdit[],
    sections: readonly string[],
    actor: string,
  ): Promise<Pick<Intent, 'take' | 'overwrite' | 'write'>> => {
    const inTables = edits.filter(({ kind }) => kind === 'table');
    const others = edits.filter(({ kind }) => kind !== 'table');
    const names = others.map(({ name }) => name);
    const [before, after] = [
      await readWith(sections, [], actor),
      await readWith(sections, names, actor),
    ];
    refuseInexpressible(before, after);
    const takers: Awaited<ReturnType<TableTaker>>[] = [];
    for (const { section, name } of inTables) {
      const taker = tables.get(section);
      if (taker) takers.push(await taker(name, actor));
    }
    return {
      take: digestsOf(others),
      // What the rows say then is what stands in the table already; it is built again, and is ours again.
      overwrite: digestsOf(inTables),
      write: async (trx) => {
        const touched: TouchedRow[] = [];
        for (const section of new Set(others.map((edit) => edit.section))) {
          const holding = holdingOf(section);
          const value = holding.fromMachine?.(after[section]?.settings, await holding.read(trx));
          if (value !== undefined && value !== null)
            touched.push(...(await holding.write(trx, value, actor)));
        }
        for (const take of takers) touched.push(...(await take(trx)));
        return touched;
      },
    };
  };

  /** What each of these says and no form could, by name. */
  const problemsOf = async (
    edits: readonly HandEdit[],
  ): Promise<ReadonlyMap<string, readonly Problem[]>> => {
    const sections = [...new Set(edits.map(({ section }) => section))];
    const names = edits.map(({ name }) => name);
    if (names.length === 0) return new Map();
    const before = await readWith(sections, [], 'pages');
    const problems = async (some: readonly string[]): Promise<readonly Problem[]> =>
      inexpressible(before, await readWith(sections, some, 'pages'));
    // Most often all of them can be said, which takes one question.
    if ((await problems(names)).length === 0) return new Map();
    const found = new Map<string, readonly Problem[]>();
    for (const name of names) found.set(name, await problems([name]));
    return found;
  };

  const offers = async (edits: readonly HandEdit[]): Promise<readonly Offer[]> => {
    const takable = edits.filter((edit) => edit.kind !== 'table' && choices(edit).includes('take'));
    const found = await problemsOf(takable);
    return edits.map((edit) => {
      const problems = found.get(edit.name) ?? [];
      const possible = choices(edit).filter((one) => one !== 'take' || problems.length === 0);
      return { edit, choices: possible, problems };
    });
  };

  return {
    list,
    offers,
    async decide(decision, chosen, actor) {
      const found = await list();
      const wanted = chosen.map((one) => findEdit(found, one));
      if (wanted.length === 0) throw new UserError({ key: 'differences.error.none', values: {} });
      const impossible = wanted.find((edit) => !choices(edit).includes(decision));
      if (impossible) throw cannot(decision, impossible);
      try {
        if (decision === 'keep') {
          await asked().call('keep', { edits: digestsOf(wanted) }, { actor });
          return;
        }
        const sections = [...new Set(wanted.map(({ section }) => section))];
        const names = new Set(wanted.map(({ name }) => name));
        const others = found.filter((edit) => sections.includes(edit.section));
        const intent = await (decision === 'take' ? taking : overwriting)(wanted, sections, actor);
        await changes.save({
          sections,
          actor,
          title: {
            key: `differences.change.${decision}`,
            values: { names: [...names].join(', ') },
          },
          leave: digestsOf(others.filter(({ name }) => !names.has(name))),
          ...intent,
        });
      } finally {
        machine.forget();
      }
    },
  };
}

function findEdit(found: readonly HandEdit[], { name, digest }: ChosenEdit): HandEdit {
  const edit = found.find((one) => one.name === name && one.digest === digest);
  if (!edit) throw new UserError({ key: 'differences.error.meanwhile', values: { name } });
  return edit;
}

function digestsOf(edits: readonly HandEdit[]): Digests {
  return Object.fromEntries(edits.map(({ name, digest }) => [name, digest]));
}

function cannot(decision: Decision, { kind, name }: HandEdit): UserError {
  const key = decision === 'keep' ? 'cannotKeep' : kind === 'file' ? 'noSetting' : 'cannotTake';
  return new UserError({ key: `differences.error.${key}`, values: { name } });
}

/** What the edit says and no form could: taking it would lose it. */
function inexpressible(before: Readings, after: Readings): readonly Problem[] {
  return Object.entries(after).flatMap(([section, { unclear }]): Problem[] => {
    const known = new Set((before[section]?.unclear ?? []).map(textOf));
    return unclear
      .filter((one) => !known.has(textOf(one)))
      .map(({ key, parameter, value }) => ({ key, values: { parameter, value } }));
  });
}

function refuseInexpressible(before: Readings, after: Readings): void {
  const problems = inexpressible(before, after);
  if (problems.length === 0) return;
  throw new UserError([{ key: 'differences.error.inexpressible', values: {} }, ...problems]);
}

function textOf({ key, parameter, value }: Readings[string]['unclear'][number]): string {
  return JSON.stringify([key, parameter, value]);
}
