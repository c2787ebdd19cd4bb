import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import type { Knex } from 'knex';
import { countRecipients, insertRecipients } from '../../lib/bulk/recipient-store.js';
import { createBulkRunner, TIMING, type BulkRunner } from '../../lib/bulk/runner.js';
import type { BulkDoor } from '../../lib/bulk/schema.js';
import { insertMailing, readMailing, startDraft } from '../../lib/bulk/store.js';
import type { Helper } from '../../lib/client/helper.js';
import { mailSchema, migrateMail, PASSING_TABLES } from '../../lib/database/mail-schema.js';
import { exportDatabase } from '../../lib/database/transfer/export.js';
import { importDatabase } from '../../lib/database/transfer/import.js';
import { engines, type Databases } from '../support/databases.js';
import { silentLog } from '../support/log.js';
import { openMemoryDatabase, type MemoryDatabase } from '../support/memory-database.js';
import { startPostfixRoot, type PostfixRoot } from '../support/postfix-root.js';
import { until } from '../support/wait.js';

const SETS = [{ ...mailSchema, prefix: 'mail_', passing: PASSING_TABLES }];
const PEOPLE = 40;
/** So many have answers of the mail server on their way when the process is no more. */
const TAKEN = 10;
const TEXT = {
  ...{ sender: 'alice@localhost', senderName: 'Alice', subject: 'On the move', body: 'Hello' },
  ...{ formatted: false, include: [], exclude: [], rate: 0 },
};
const IDENTITY = { key: 'c'.repeat(20), secret: 'd'.repeat(20) };

/** In front of the mail server: after so many messages were taken nobody hears of it any more. */
async function startGate(port: number) {
  const sockets = new Set<Socket>();
  const state = { taken: 0 };
  const server = createServer((client) => {
    const inner = connect(port, '127.0.0.1');
    for (const socket of [client, inner]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }
    client.pipe(inner);
    inner.on('data', (chunk: Buffer) => {
      if (chunk.includes('queued as')) state.taken += 1;
      if (state.taken < TAKEN) client.write(chunk);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    state,
    port: (server.address() as AddressInfo).port,
    stop: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

describe('a mailing whose database is moved', () => {
  let root: PostfixRoot;
  let embedded: MemoryDatabase;
  let server: Databases;
  before(async () => {
    root = await startPostfixRoot();
    await root.run('/usr/sbin/postconf', ['-c', root.places.configDir, 'recipient_delimiter = +']);
    await root.reload();
    embedded = await openMemoryDatabase();
    await migrateMail(embedded.db);
    server = await engines['a PostgreSQL server']!();
  });
  after(async () => {
    await server.stop();
    await embedded.close();
    await root.stop();
  });

  const runnerOn = (db: Knex, port: number | null): BulkRunner => {
    const helper = {
      call: async (...request: Parameters<Helper['call']>) => {
        const answer = await root.helper.call(...request);
        return request[0] === 'bulk-door' && port !== null
          ? { ...(answer as BulkDoor), host: '127.0.0.1', port }
          : answer;
      },
    } as Helper;
    const timing = { ...TIMING, idleMs: 50, followMs: 500 };
    return createBulkRunner({ db, helper, log: silentLog, timing });
  };
  const countsOf = async (db: Knex, id: string) => (await countRecipients(db, [id])).get(id);
  /** How often each recipient has it in the mailbox. */
  const arrived = async (): Promise<ReadonlyMap<string, number>> => {
    const box = await readFile(`${root.places.root}/var/mail/alice`, 'utf8').catch(() => '');
    const found = new Map<string, number>();
    for (const [, to = ''] of box.matchAll(/^To: .*<?(alice\+\d+@localhost)>?$/gm)) {
      found.set(to, (found.get(to) ?? 0) + 1);
    }
    return found;
  };

  it('reaches everybody once, though nobody knew what had got through, and no process remembers', async () => {
    const { db: from } = embedded;
    const to = await server.fresh();
    const id = await insertMailing(from, IDENTITY, TEXT, 'alice');
    const people = Array.from({ length: PEOPLE }, (_, index) => ({
      ...{ address: `alice+${index}@localhost`, name: '', login: `p${index}` },
      ...{ state: 'waiting' as const, reply: '' },
    }));
    await insertRecipients(from, id, people);
    await startDraft(from, id, 1);

    const gate = await startGate(root.smtpPort);
    const first = runnerOn(from, gate.port);
    first.start();
    await until('some to be taken', () => gate.state.taken >= TAKEN);
    const file = new PassThrough();
    const [kept] = await Promise.all([
      text(file),
      exportDatabase(from, file, SETS).then(() => file.end()),
    ]);
    assert.equal((await countsOf(from, id))?.sending, PEOPLE, 'of all of them nobody knows');
    gate.stop();
    await first.close();

    await importDatabase(to, [Buffer.from(kept)], SETS, { replace: true });
    const second = runnerOn(to, null);
    second.start();
    try {
      await until('it to be sent', async () => (await readMailing(to, id))?.state === 'done');
      await until('all to be told', async () => (await countsOf(to, id))?.delivered === PEOPLE);
    } finally {
      await second.close();
    }
    const times = await arrived();
    assert.deepEqual([...times.keys()].sort(), people.map(({ address }) => address).sort());
    assert.deepEqual(
      [...times].filter(([, count]) => count !== 1),
      [],
    );
  });
});
