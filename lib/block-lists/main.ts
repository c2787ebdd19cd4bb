/**
 * The service that asks DNS block lists: `node dist/lib/block-lists/main.js FILE`, as an account without rights. It checks
 * each list before it uses it and again all the time, so that one that is dead, or that lists everybody, refuses nobody.
 * Prints `{"ready":true}`.
 */
import { readFileSync } from 'node:fs';
import type { BlockListOrders } from '../policy/files.js';
import { Judge } from './judge.js';
import { createLookup, systemQueries } from './lookup.js';
import { createPolicyServer } from './server.js';

/** How often is looked which list is to be checked, in milliseconds. */
const LOOK_EVERY_MS = 30 * 1000;

const orders = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as BlockListOrders;
const judge = new Judge(orders, createLookup(systemQueries()));
const server = createPolicyServer(judge);
server.on('error', (error) => {
  process.stderr.write(`block lists: ${error.message}\n`);
  process.exit(1);
});
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit(0));

server.listen(orders.port, '127.0.0.1', () => process.stdout.write('{"ready":true}\n'));
void judge.check();
setInterval(() => void judge.check(), LOOK_EVERY_MS);
