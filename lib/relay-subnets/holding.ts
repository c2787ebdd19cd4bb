import Joi from 'joi';
import type { TouchedRow } from '../changes/change.js';
import type { Holding } from '../settings/holding.js';
import { isAllowedNetwork, MAX_NETWORKS, MAX_NOTE_CHARS, type RelaySettings } from './schema.js';
import { addNetworks, readNetworks, removeNetwork, writeNote } from './store.js';

/** The networks with what somebody noted about each. */
export interface NotedNetworks {
  readonly networks: readonly { readonly network: string; readonly note: string }[];
}

const network = Joi.string()
  .max(64)
  .required()
  .custom((value: string, helpers) =>
    isAllowedNetwork(value) ? value : helpers.error('any.invalid'),
  );
const note = Joi.string()
  .allow('')
  .max(MAX_NOTE_CHARS)
  .pattern(/[\p{Cc}\u2028\u2029]/u, { invert: true })
  .required();

/** The list of open relay subnets as a whole. */
export const relayHolding: Holding<NotedNetworks> = {
  section: 'relay',
  schema: Joi.object<NotedNetworks>({
    networks: Joi.array()
      .items(Joi.object({ network, note }))
      .max(MAX_NETWORKS)
      .unique('network')
      .required(),
  }).required(),
  read: async (db) => {
    const rows = await readNetworks(db);
    return rows && { networks: rows.map((row) => ({ network: row.network, note: row.note })) };
  },
  write: async (trx, { networks }, actor) => {
    const rows = (await readNetworks(trx)) ?? [];
    const touched: TouchedRow[] = [];
    for (const row of rows) {
      const wanted = networks.find((one) => one.network === row.network);
      if (!wanted) touched.push(...(await removeNetwork(trx, row)));
      else if (wanted.note !== row.note) {
        touched.push(...(await writeNote(trx, row, wanted.note, actor)));
      }
    }
    const there = new Set(rows.map((row) => row.network));
    const fresh = networks.filter((one) => !there.has(one.network));
    return [...touched, ...(await addNetworks(trx, fresh, actor))];
  },
  fromMachine: (settings, present) => {
    const notes = new Map(present?.networks.map((one) => [one.network, one.note]));
    const { networks } = settings as RelaySettings;
    return { networks: networks.map((one) => ({ network: one, note: notes.get(one) ?? '' })) };
  },
};
