/** Sealed secrets in row images: masked where they are shown, kept apart while a change is under way. */
import { isDeepStrictEqual } from 'node:util';
import type { MaskedSecret, Row, SettingsSource, TableSecrets, TouchedRow } from './change.js';

/** The boxes of one row by path. */
export type SealedValues = Readonly<Record<string, unknown>>;

/** By `table` or `table/id`. */
export type SecretsCatalogue = ReadonlyMap<string, TableSecrets>;

/** What the rows of all sources hold. Throws when two sources disagree about the same rows. */
export function secretsOfSources(sources: readonly SettingsSource[]): SecretsCatalogue {
  const all = new Map<string, TableSecrets>();
  for (const source of sources) {
    for (const [rows, secrets] of Object.entries(source.tables)) {
      const known = all.get(rows);
      if (known && !isDeepStrictEqual(known, secrets)) {
        throw new Error(`${source.section}: another source says otherwise about ${rows}`);
      }
      all.set(rows, secrets);
    }
  }
  return all;
}

/** Throws for rows that no source names: their secrets would be shown. */
export function secretsOfRow(
  all: SecretsCatalogue,
  { table, id }: Pick<TouchedRow, 'table' | 'id'>,
): TableSecrets {
  const secrets = all.get(`${table}/${id}`) ?? all.get(table);
  if (!secrets) throw new Error(`no settings source names ${table}/${id}`);
  return secrets;
}

/** The images as history shows them. */
export function maskImages(
  { table, id, before, after }: TouchedRow,
  { secrets }: TableSecrets,
): TouchedRow {
  return {
    table,
    id,
    before: before && maskRow(before, secrets, null),
    after: after && maskRow(after, secrets, before),
  };
}

function maskRow(row: Row, paths: readonly string[], earlier: Row | null): Row {
  let masked = row;
  for (const path of paths) {
    const value = valueAt(row, path);
    if (value === undefined) continue;
    const was = earlier === null ? undefined : valueAt(earlier, path);
    const secret: MaskedSecret['secret'] = !isSet(value)
      ? 'none'
      : isSet(was) && !isDeepStrictEqual(was, value)
        ? 'changed'
        : 'set';
    masked = withValue(masked, path, { secret });
  }
  return masked;
}

/** The boxes in a row; null when it has none. */
export function sealedValues(row: Row | null, { secrets }: TableSecrets): SealedValues | null {
  const found = secrets
    .map((path) => [path, row === null ? undefined : valueAt(row, path)] as const)
    .filter(([, value]) => value !== undefined && value !== null);
  return found.length === 0 ? null : Object.fromEntries(found);
}

/** The inverse of `maskImages` for one image: boxes at their paths, null where there was none. */
export function unmaskRow(
  masked: Row,
  { secrets }: TableSecrets,
  sealed: SealedValues | null,
): Row {
  return secrets
    .filter((path) => valueAt(masked, path) !== undefined)
    .reduce((row, path) => withValue(row, path, sealed?.[path] ?? null), masked);
}

export function maskedSecret(row: Row, path: string): MaskedSecret['secret'] {
  return (valueAt(row, path) as MaskedSecret | undefined)?.secret ?? 'none';
}

export function valueAt(row: Row, path: string): unknown {
  let value: unknown = row;
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Row)[name];
  }
  return value;
}

/** A copy of the row with another value at `path`; a missing object on the way is left missing. */
export function withValue(row: Row, path: string, value: unknown): Row {
  const [name, ...rest] = path.split('.') as [string, ...string[]];
  if (rest.length === 0) return { ...row, [name]: value };
  const inner = row[name];
  if (typeof inner !== 'object' || inner === null) return row;
  return { ...row, [name]: withValue(inner as Row, rest.join('.'), value) };
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '';
}
