// Starts the example: node docs/hosting/server.mjs
// STATE: folder of its database and its secret; HELPER: socket of the privileged helper; PEOPLE: see people.mjs; PORT.
import { createServer } from 'node:http';
import { openDatabase } from 'mailserver-plugin/database';
import { createSocketTransport } from 'mailserver-plugin/helper';
import { pino } from 'pino';
import { createConsole } from './console.mjs';
import { openPeople } from './people.mjs';

const {
  STATE = '/var/lib/example',
  HELPER,
  PEOPLE = `${STATE}/people.json`,
  PORT = '0',
} = process.env;

const log = pino({ level: 'info' }, pino.destination(2));
// A console with a PostgreSQL server of its own gives its Knex instance instead. The plugin's tables begin with `mail_`.
const database = await openDatabase({ stateDir: STATE, url: process.env.DATABASE_URL, log });
const people = await openPeople(PEOPLE);
const helper = HELPER ? createSocketTransport({ path: HELPER }) : null;
const { app, plugin } = createConsole({ db: database.db, log, people, helper });

// Migrations, what a crash left open, background work: once, before the first request.
await plugin.start();
const server = createServer(app).listen(Number(PORT), '127.0.0.1', () => {
  const { port } = server.address();
  process.stdout.write(`${JSON.stringify({ ready: true, url: `http://127.0.0.1:${port}` })}\n`);
});

process.once('SIGTERM', async () => {
  server.close();
  server.closeAllConnections();
  await plugin.close();
  people.close();
  await database.close();
});
