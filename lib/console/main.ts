/** The console's process: environment → database → console → socket. Logs go to stderr, one JSON line to stdout. */
import { chmod, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pino } from 'pino';
import { createSocketTransport } from '../client/socket-transport.js';
import { openDatabase } from '../database/open.js';
import { createLogDestination } from '../log-destination.js';
import { createPlugin } from '../plugin.js';
import { readCertificates } from './certificates/folder.js';
import { createConsole } from './console.js';
import { CONTROL_SOCKET, startControl } from './control.js';
import { createNssDirectory } from './directory/nss.js';
import { EnvironmentError, readEnvironment, type Listen } from './environment.js';
import { createSaslauthd } from './sign-in/saslauthd.js';
import { prepareStateFolder, readOrCreateSecret, writeFirstLogin } from './state-folder.js';

/** How long requests may take to finish after SIGTERM. Milliseconds. */
const SHUTDOWN_LIMIT_MS = 10_000;

async function run(): Promise<void> {
  const environment = readEnvironment(process.env);
  const { stateDir, brand, listen } = environment;
  const log = pino({ level: environment.logLevel }, createLogDestination(2));
  await prepareStateFolder(stateDir);
  const secret = await readOrCreateSecret(stateDir);
  const database = await openDatabase({
    stateDir,
    url: environment.databaseUrl ?? undefined,
    log,
  });
  const directory = createNssDirectory(log);
  const app = createConsole({
    db: database.db,
    log,
    secret,
    brand,
    directory,
    createPlugin,
    helper:
      environment.helperSocket === null
        ? null
        : createSocketTransport({ path: environment.helperSocket }),
    systemPasswords: createSaslauthd(environment.saslauthdSocket),
    trustedUserHeader: environment.trustedUserHeader,
    behindProxy: listen.kind === 'unix',
    certificates: () => readCertificates(environment.certificates),
  });
  await app.start();
  const first = await app.accounts.createFirst(environment.firstAdmin);
  if (first !== null && environment.trustedUserHeader === null) {
    await writeFirstLogin(stateDir, first);
  }

  const server = createServer(app.app);
  await listenOn(server, listen).catch((error: unknown) => {
    throw takenAddress(error, listen) ?? error;
  });
  // Without it only root's command line has nobody to ask.
  const control = await startControl(join(stateDir, CONTROL_SOCKET), app, log).catch(
    (error: unknown) => {
      log.warn({ err: error }, 'the socket for root’s command line could not be made');
      return null;
    },
  );
  const stop = async (signal: string): Promise<void> => {
    log.info({ signal }, 'stopping');
    await control?.close();
    await closeServer(server);
    await app.close();
    directory.close();
    await database.close();
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      stop(signal).catch((error: unknown) => {
        log.error({ err: error }, 'stopping failed');
        process.exit(1);
      });
    });
  }
  const url = addressOf(server, listen);
  log.info({ url }, 'serving');
  process.stdout.write(JSON.stringify({ ready: true, url }) + '\n');
}

async function listenOn(server: Server, listen: Listen): Promise<void> {
  if (listen.kind === 'unix') {
    // A socket left by a process that was killed would be in the way. Who may connect is the folder's business.
    await rm(listen.path, { force: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(listen.path, resolve);
    });
    await chmod(listen.path, 0o660);
    return;
  }
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(listen.port, listen.host, resolve);
  });
}

/** What to say when another program has the address already; null for any other fault. */
function takenAddress(error: unknown, listen: Listen): EnvironmentError | null {
  const taken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
  if (!taken || listen.kind === 'unix') return null;
  return new EnvironmentError(
    `another program listens on ${listen.host}:${String(listen.port)} already; give the console another address ` +
      'with npm start -- --listen ADDRESS:PORT',
  );
}

/** New requests are refused, running ones may finish. */
async function closeServer(server: Server): Promise<void> {
  const timer = setTimeout(() => server.closeAllConnections(), SHUTDOWN_LIMIT_MS);
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
  clearTimeout(timer);
}

function addressOf(server: Server, listen: Listen): string {
  if (listen.kind === 'unix') return `unix:${listen.path}`;
  const { address, family, port } = server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${String(port)}`;
}

run().catch((error: unknown) => {
  const words = error instanceof Error ? error.message : String(error);
  const stack = error instanceof EnvironmentError || !(error instanceof Error) ? '' : error.stack;
  process.stderr.write(`mailserver console: ${words}\n${stack ?? ''}\n`);
  process.exit(1);
});
