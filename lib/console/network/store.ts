import type { Knex } from 'knex';
import type { NetworkSettings } from './schema.js';

const ID = 'network';
const NONE: NetworkSettings = { proxy: '' };

interface Row {
  id: string;
  value: NetworkSettings;
  version: number;
  updated_at: Date;
  updated_by: string;
}

export interface StoredNetwork {
  readonly settings: NetworkSettings;
  /** 0 while nothing was ever saved. */
  readonly version: number;
}

export type NetworkStore = ReturnType<typeof createNetworkStore>;

/** The row `network` of `console_settings`. */
export function createNetworkStore(db: Knex) {
  return {
    async read(): Promise<StoredNetwork> {
      const row = await db<Row>('console_settings').where({ id: ID }).first();
      return { settings: row?.value ?? NONE, version: row?.version ?? 0 };
    },

    /** False when somebody saved since `version`. */
    async write(settings: NetworkSettings, version: number, actor: string): Promise<boolean> {
      const fresh = { value: settings, updated_at: new Date(), updated_by: actor };
      if (version === 0) {
        const inserted = await db<Row>('console_settings')
          .insert({ id: ID, version: 1, ...fresh })
          .onConflict('id')
          .ignore()
          .returning('id');
        return inserted.length === 1;
      }
      const updated = await db<Row>('console_settings')
        .where({ id: ID, version })
        .update({ ...fresh, version: version + 1 });
      return updated === 1;
    },
  };
}
