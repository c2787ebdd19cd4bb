/** The pages of the mail queue on a private Postfix whose mail waits: served by the dummy host, asked by browsers. */
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { HelperCallOptions, HelperTransport } from '../../lib/contract.js';
import { migrateMail } from '../../lib/database/mail-schema.js';
import { ConsoleClient } from './console-client.js';
import { createDummyHost, type DummyHost } from './dummy-host.js';
import { openMemoryDatabase, type MemoryDatabase } from './memory-database.js';
import { startQueueRoot, type QueueRoot, type Tempers } from './queue-root.js';

export interface QueuePages {
  readonly root: QueueRoot;
  readonly host: DummyHost;
  readonly database: MemoryDatabase;
  readonly url: string;
  readonly client: ConsoleClient;
  /** Requests for that action wait from now on, until what this gives is called, or they are cancelled. */
  hold(action: string): () => void;
  stop(): Promise<void>;
}

export async function startQueuePages(tempers: Tempers = {}): Promise<QueuePages> {
  const [root, database] = await Promise.all([startQueueRoot(tempers), openMemoryDatabase()]);
  await migrateMail(database.db);
  const held = new Map<string, Promise<void>>();
  const helper: HelperTransport = {
    request: async (action, params, options) => {
      await Promise.race([held.get(action), aborted(options)]);
      return root.transport.request(action, params, options);
    },
  };
  const host = createDummyHost({ db: database.db, helper });
  const server: Server = host.app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    root,
    host,
    database,
    url,
    client: new ConsoleClient(url),
    hold(action) {
      let open: () => void = () => undefined;
      held.set(action, new Promise<void>((resolve) => (open = resolve)));
      return () => {
        held.delete(action);
        open();
      };
    },
    async stop() {
      server.close();
      server.closeAllConnections();
      await host.plugin.close();
      await database.close();
      await root.stop();
    },
  };
}

function aborted({ signal }: HelperCallOptions): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) resolve();
    else signal?.addEventListener('abort', () => resolve(), { once: true });
  });
}
