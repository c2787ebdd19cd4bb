import type { Holding } from '../settings/holding.js';
import { domainsSchema, type DomainSettings } from './schema.js';
import { addDomains, readDomains, removeDomain } from './store.js';

/** The list of local domains as a whole. */
export const domainsHolding: Holding<DomainSettings> = {
  section: 'domains',
  schema: domainsSchema,
  read: async (db) => {
    const rows = await readDomains(db);
    return rows && { names: rows.map(({ name }) => name) };
  },
  write: async (trx, { names }, actor) => {
    const rows = (await readDomains(trx)) ?? [];
    const gone = rows.filter(({ name }) => !names.includes(name));
    const removed = [];
    for (const row of gone) removed.push(...(await removeDomain(trx, row)));
    const there = new Set(rows.map(({ name }) => name));
    const fresh = names.filter((name) => !there.has(name));
    return [...removed, ...(await addDomains(trx, fresh, actor))];
  },
  fromMachine: (settings) => settings as DomainSettings,
};
