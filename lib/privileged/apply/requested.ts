/**
 * The settings that a request asks for. Of a section that is a list of many rows only those that change cross the border; the
 * others are as they were applied last, and what this very program has checked then is not checked again.
 */
import { randomUUID } from 'node:crypto';
import { HelperError } from '../../errors.js';
import type { SectionRegistry } from '../../sections/registry.js';
import type { AllSettings, Section } from '../../sections/section.js';
import { PROGRAM } from '../program.js';
import type { ApplyParams, RowsChange } from '../protocol.js';
import type { HelperState } from '../state.js';
import { checkSettings, refuseSettings, sectionOrRefuse } from './render.js';

export interface Requested {
  /** Whole settings by section. */
  readonly settings: AllSettings;
  /** Sections whose settings hold, so that they need not be checked. */
  readonly checked: ReadonlySet<string>;
}

interface Identified {
  readonly id: string;
}

/**
 * Throws at stage `validate`, with the key `helper.contents.base`, when a section's settings have to be sent whole: to another
 * release than the one that applied the rows too, for which they may have got other fields since.
 */
export function requestedSettings(
  { sections, rows = {} }: Pick<ApplyParams, 'sections' | 'rows'>,
  state: HelperState,
  registry: SectionRegistry,
  program = PROGRAM,
): Requested {
  const settings: Record<string, unknown> = { ...sections };
  const checked = new Set<string>();
  for (const [id, change] of Object.entries(rows)) {
    const section = sectionOrRefuse(registry, id);
    const list = section.rows?.list;
    if (list === undefined || Object.hasOwn(sections, id)) throw refuseSettings(id, '');
    const own = isOwnWork(state, id, program);
    if (state.rows?.[id] !== change.base || (program !== null && !own)) throw otherBase(id);
    settings[id] = { [list]: changedRows(section, list, change, state) };
    if (own) checked.add(id);
  }
  return { settings, checked };
}

/** Whether this very program has checked and made what was last applied of a section. */
export function isOwnWork(
  { makings = {} }: Pick<HelperState, 'makings'>,
  id: string,
  program: string | null,
): boolean {
  return program !== null && makings[id]?.program === program;
}

/** A new name for the rows of each of these sections that has some: nobody can change what is no longer there. */
export function nameRows(
  registry: SectionRegistry,
  ids: Iterable<string>,
): Readonly<Record<string, string>> {
  const named = [...ids].filter((id) => registry.get(id)?.rows !== undefined);
  return Object.fromEntries(named.map((id) => [id, randomUUID()]));
}

/** The rows there are then, in the order of their ids. What is new is held against the section's schema. */
function changedRows(
  section: Section,
  list: string,
  { set, gone }: RowsChange,
  state: HelperState,
): readonly Identified[] {
  const { [list]: fresh } = checkSettings(section, { [list]: set }) as Record<string, Identified[]>;
  const before = state.sections[section.id] as Record<string, readonly Identified[]>;
  const rows = new Map((before[list] ?? []).map((row) => [row.id, row]));
  for (const id of gone) rows.delete(id);
  for (const row of fresh ?? []) rows.set(row.id, row);
  if (rows.size > (section.rows?.most ?? 0)) throw refuseSettings(section.id, list);
  return [...rows.values()].sort(byNumber);
}

/** Ids are numbers of any length. */
function byNumber({ id: a }: Identified, { id: b }: Identified): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

function otherBase(section: string): HelperError {
  const key = 'helper.contents.base';
  return new HelperError({
    ...{ stage: 'validate', key, values: { section }, detail: '', restored: true },
  });
}
