/**
 * Sections that are lists of rows (see `Section.rows`): to the helper cross only the rows a change touched, with what names
 * the rows they change; all of them cross when the helper has others.
 */
import type { Knex } from 'knex';
import { HelperError } from '../errors.js';
import type { ApplyParams, RowsChange } from '../privileged/protocol.js';
import type { RowsSource, SettingsSource, TouchedRow } from './change.js';

type Sources = ReadonlyMap<string, SettingsSource>;

/** The rows to send of those of these sections that need not be sent whole. `bases` is what the helper has, as it said. */
export function rowsToSend(
  sources: Sources,
  ids: readonly string[],
  touched: readonly TouchedRow[],
  bases: Readonly<Record<string, string>>,
): Readonly<Record<string, RowsChange>> {
  const changes: Record<string, RowsChange> = {};
  for (const id of ids) {
    const rows = sources.get(id)?.rows;
    const base = bases[id];
    if (rows && base !== undefined) changes[id] = changedRows(rows, base, touched);
  }
  return changes;
}

/** A row may be touched more than once: what it is in the end counts. */
function changedRows(source: RowsSource, base: string, touched: readonly TouchedRow[]): RowsChange {
  const own = touched.filter(({ table }) => table === source.table);
  const last = new Map(own.map(({ id, after }) => [id, after]));
  return {
    base,
    set: [...last.values()].flatMap((after) => (after === null ? [] : [source.row(after)])),
    gone: [...last].flatMap(([id, after]) => (after === null ? [id] : [])),
  };
}

/** The section whose rows the helper has otherwise than was said; null when that is not the error. */
export function unknownRows(error: unknown, { rows = {} }: ApplyParams): string | null {
  if (!(error instanceof HelperError) || error.key !== 'helper.contents.base') return null;
  const id = String(error.values['section'] ?? '');
  return Object.hasOwn(rows, id) ? id : null;
}

/** The same request with the whole settings of one section, as they are saved. */
export async function sendWhole(
  params: ApplyParams,
  id: string,
  sources: Sources,
  db: Knex,
): Promise<ApplyParams> {
  const settings = await sources.get(id)?.collect(db);
  const rows = Object.fromEntries(Object.entries(params.rows ?? {}).filter(([one]) => one !== id));
  const sections = { ...params.sections, [id]: settings };
  return { ...params, sections, rows };
}
