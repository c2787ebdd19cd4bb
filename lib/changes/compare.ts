/** After settings and system went apart: shows what differs, and ends the divergence when nothing does any more. */
import type { Knex } from 'knex';
import type { HelperTransport } from '../contract.js';
import type { ApplyResult } from '../privileged/protocol.js';
import { requestApply } from './apply.js';
import { collectSections, type Catalogue } from './begin.js';
import type { Change, Intent, Preview } from './change.js';
import { collectContents } from './contents.js';
import {
  clearAgreement,
  clearDivergence,
  hasAgreement,
  markAgreement,
  readDivergence,
} from './divergence.js';
import { noHelper } from './failures.js';
import { readDatabaseId } from './store.js';

export interface ComparisonOptions {
  readonly db: Knex;
  readonly helper: HelperTransport | null;
  readonly catalogue: Catalogue;
}

export interface Comparison {
  compare(actor: string): Promise<Preview>;
  reapply(actor: string): Promise<Intent>;
  /** Ends the divergence when this change applied all saved settings; the system follows this database again. */
  endedBy(change: Change): Promise<void>;
}

export function createComparison({ db, helper, catalogue }: ComparisonOptions): Comparison {
  return {
    compare: async (actor) => {
      if (!helper) throw noHelper();
      const result = await requestAll(db, helper, catalogue, actor);
      if (isSame(result)) await markAgreement(db);
      return { rows: [], result };
    },
    reapply: async (actor) => ({
      sections: await savedSections(db, catalogue),
      title: { key: 'changes.title.reapply', values: {} },
      actor,
      adopt: true,
      write: () => Promise.resolve([]),
    }),
    endedBy: async (change) => {
      if (change.state !== 'applied') return;
      if (await hasAgreement(db)) await clearAgreement(db);
      if (!(await readDivergence(db))) return;
      const saved = await savedSections(db, catalogue);
      if (saved.every((section) => change.sections.includes(section))) await clearDivergence(db);
    },
  };
}

/** A dry run of everything that was ever saved. Throws `HelperError`. */
export async function requestAll(
  db: Knex,
  helper: HelperTransport,
  catalogue: Catalogue,
  actor: string,
): Promise<ApplyResult> {
  const saved = await savedSections(db, catalogue);
  const sections = await collectSections(db, catalogue, saved);
  const params = { databaseId: await readDatabaseId(db), change: 0, dryRun: true, sections };
  const contents = await collectContents(db, db, catalogue.sources, saved, []);
  return requestApply(helper, params, actor, contents);
}

export function isSame({ parameters, files }: ApplyResult): boolean {
  return parameters.length === 0 && files.length === 0;
}

async function savedSections(db: Knex, { sources }: Catalogue): Promise<string[]> {
  const saved: string[] = [];
  for (const source of sources.values()) {
    const settings = await source.collect(db);
    if (settings !== null && settings !== undefined) saved.push(source.section);
  }
  return saved;
}
