/** What a PostgreSQL server must be before we write to it. */
import type { Knex } from 'knex';
import { DatabaseStartError } from './errors.js';

/** The SQL here is written for this version and newer ones. */
const OLDEST_MAJOR_VERSION = 15;

export async function examineServer(db: Knex): Promise<void> {
  const { version, encoding } = await ask(db);
  if (version < OLDEST_MAJOR_VERSION * 10_000) {
    throw new DatabaseStartError(
      'unsuitable',
      `The PostgreSQL server is older than version ${OLDEST_MAJOR_VERSION}. Use a newer one.`,
    );
  }
  if (encoding !== 'UTF8') {
    throw new DatabaseStartError(
      'unsuitable',
      `The PostgreSQL database has the encoding ${encoding}. Make one with: createdb --encoding=UTF8 --template=template0 NAME`,
    );
  }
}

async function ask(db: Knex): Promise<{ version: number; encoding: string }> {
  try {
    const answer: { rows: { version: number; encoding: string }[] } = await db.raw(
      `select current_setting('server_version_num')::int as version, current_setting('server_encoding') as encoding`,
    );
    return answer.rows[0]!;
  } catch (error) {
    throw new DatabaseStartError(
      'unreachable',
      `The PostgreSQL server of DATABASE_URL does not answer: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
}
