/** The first step of a save: one transaction that checks, writes the rows, and records the change as under way. */
import type { Knex } from 'knex';
import { takeLease } from '../database/lease.js';
import { UserError } from '../errors.js';
import type { ApplyParams } from '../privileged/protocol.js';
import type {
  ApplyingChange,
  Divergence,
  Intent,
  PagedIntent,
  SettingsSource,
  TouchedRow,
} from './change.js';
import { collectContents, readDigests, type ChangedRows, type ContentsToSend } from './contents.js';
import { hasAgreement, readDivergence } from './divergence.js';
import { diverged } from './failures.js';
import { rowsToSend } from './row-changes.js';
import { maskImages, sealedValues, secretsOfRow, type SecretsCatalogue } from './secrets.js';
import {
  countChangeRows,
  decisionsOf,
  findApplying,
  insertChange,
  insertChangeRows,
  lockChangeOrder,
  readDatabaseId,
  readNumbers,
  readStoredPages,
  type StoredRow,
} from './store.js';

/** The lease that says somebody drives the change in flight to its end. */
export const CHANGES_LEASE = 'changes';

export interface Catalogue {
  readonly sources: ReadonlyMap<string, SettingsSource>;
  readonly secrets: SecretsCatalogue;
}

export type Begun =
  | {
      readonly params: ApplyParams;
      readonly contents: ContentsToSend;
      /** What is recorded of the rows: images with their secrets masked. Empty where they were written page by page. */
      readonly rows: readonly TouchedRow[];
    }
  /** Another change is under way: `abandoned` when nobody drives it, and this process has taken it over. */
  | { readonly inFlight: ApplyingChange; readonly abandoned: boolean };

/** Errors of what the intent writes pass through; `HelperError` after a divergence. Nothing is written then. */
export function beginChange(
  db: Knex,
  catalogue: Catalogue,
  intent: Intent | PagedIntent,
  holder: string,
): Promise<Begun> {
  return db.transaction(async (trx) => {
    await lockChangeOrder(trx);
    const inFlight = await findApplying(trx);
    if (inFlight) return { inFlight, abandoned: await takeLease(trx, CHANGES_LEASE, holder) };
    if (!intent.adopt && mustDecide(await readDivergence(trx))) throw diverged();
    const { number, changed, stored } = await writeAndRecord(trx, catalogue, intent);
    // The first change of a database follows no other one: it takes over what a former database left.
    const adopt =
      intent.adopt || (await readNumbers(trx)).applied === 0 || (await hasAgreement(trx));
    const { sources } = catalogue;
    const known = await readDigests(trx);
    const rows =
      adopt || 'pages' in changed ? {} : rowsToSend(sources, intent.sections, changed, known);
    const whole = intent.sections.filter((id) => !Object.hasOwn(rows, id));
    const sections = await collectSections(trx, catalogue, whole);
    const contents = await collectContents(trx, db, sources, intent.sections, changed, known);
    await takeLease(trx, CHANGES_LEASE, holder);
    return {
      contents,
      rows: stored.map(({ table, id, before, after }) => ({ table, id, before, after })),
      params: {
        databaseId: await readDatabaseId(trx),
        change: number,
        dryRun: false,
        sections,
        ...(whole.length < intent.sections.length ? { rows } : {}),
        ...decisionsOf(intent),
        ...(adopt ? { adopt } : {}),
      },
    };
  });
}

/** Writes the rows and puts the change on record with them. */
async function writeAndRecord(
  trx: Knex.Transaction,
  { secrets }: Catalogue,
  intent: Intent | PagedIntent,
): Promise<{
  readonly number: number;
  readonly changed: ChangedRows;
  readonly stored: readonly StoredRow[];
}> {
  if ('write' in intent) {
    const rows = await intent.write(trx);
    const stored = storedRows(rows, secrets);
    const number = await insertChange(trx, intent, stored.length);
    await insertChangeRows(trx, number, stored);
    return { number, changed: rows, stored };
  }
  const number = await insertChange(trx, intent, 0);
  let count = 0;
  for await (const page of intent.writePages(trx)) {
    await insertChangeRows(trx, number, storedRows(page, secrets), count);
    count += page.length;
  }
  await countChangeRows(trx, number, count);
  return { number, changed: { pages: (db) => readStoredPages(db, number) }, stored: [] };
}

/** Where the system has newer settings than this database, or another one's, a save would undo them unseen. */
function mustDecide(divergence: Divergence | null): boolean {
  return divergence?.kind === 'foreign' || divergence?.kind === 'ahead';
}

/** What would be written and asked for; the transaction is rolled back before anybody is asked. */
export async function rehearse(
  db: Knex,
  catalogue: Catalogue,
  intent: Intent,
): Promise<{
  readonly rows: readonly TouchedRow[];
  readonly params: ApplyParams;
  readonly contents: ContentsToSend;
}> {
  const trx = await db.transaction();
  try {
    const rows = await intent.write(trx);
    return {
      contents: await collectContents(trx, db, catalogue.sources, intent.sections, rows),
      rows: rows.map((row) => maskImages(row, secretsOfRow(catalogue.secrets, row))),
      params: {
        databaseId: await readDatabaseId(trx),
        change: 0,
        dryRun: true,
        sections: await collectSections(trx, catalogue, intent.sections),
        ...decisionsOf(intent),
      },
    };
  } finally {
    await trx.rollback();
  }
}

/** The settings of these sections. Throws `UserError` when one has none: an undo of its very first save. */
export async function collectSections(
  db: Knex,
  { sources }: Catalogue,
  ids: readonly string[],
): Promise<Readonly<Record<string, unknown>>> {
  const settings: Record<string, unknown> = {};
  for (const id of ids) {
    const source = sources.get(id);
    if (!source) throw new Error(`no source for section ${id}`);
    const value = await source.collect(db);
    if (value === null || value === undefined) {
      throw new UserError({ key: 'changes.error.nothingBefore', values: { section: id } });
    }
    settings[id] = value;
  }
  return settings;
}

function storedRows(rows: readonly TouchedRow[], all: SecretsCatalogue): readonly StoredRow[] {
  return rows.map((row) => {
    const secrets = secretsOfRow(all, row);
    return { ...maskImages(row, secrets), sealedBefore: sealedValues(row.before, secrets) };
  });
}
