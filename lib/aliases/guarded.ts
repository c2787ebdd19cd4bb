/** A write that must not leave the postmaster or root without anybody who reads their mail. */
import type { Knex } from 'knex';
import type { TouchedRow } from '../changes/change.js';
import { UserError } from '../errors.js';
import { lostNames } from './protection.js';
import type { World } from './resolve.js';
import { aliasesIn } from './world.js';

/** Runs what writes; throws `UserError` when mail to one of them would lead nowhere afterwards, and did not before. */
export async function guarded(
  trx: Knex.Transaction,
  now: World,
  write: () => Promise<readonly TouchedRow[]>,
): Promise<readonly TouchedRow[]> {
  const world = { ...now, aliases: aliasesIn(trx) };
  const before = await lostNames(world);
  const touched = await write();
  await refuseLost(world, before);
  return touched;
}

/** The same for what writes page by page. */
export async function* guardedPages(
  trx: Knex.Transaction,
  now: World,
  pages: AsyncIterable<readonly TouchedRow[]>,
): AsyncIterable<readonly TouchedRow[]> {
  const world = { ...now, aliases: aliasesIn(trx) };
  const before = await lostNames(world);
  yield* pages;
  await refuseLost(world, before);
}

async function refuseLost(world: World, before: readonly string[]): Promise<void> {
  const lost = (await lostNames(world)).find((name) => !before.includes(name));
  if (lost === undefined) return;
  const problem = { key: 'aliases.problem.protected', values: { name: lost }, field: 'targets' };
  throw new UserError(problem);
}
