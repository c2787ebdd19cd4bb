/**
 * Where root's command line reaches the running console: a socket in the state folder, which nobody but the console's
 * user and root can enter. It gives all settings as one file and takes one, says how things are, and gives an account a
 * new password.
 */
import { chmod, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Log, Plugin } from '../contract.js';
import { HelperError, UserError } from '../errors.js';

/** Largest file that is taken, in bytes. */
const MAX_BODY_BYTES = 64 * 1024 * 1024;

/** In the state folder. */
export const CONTROL_SOCKET = 'control.sock';

/** What root may ask for. */
export interface ControlParts {
  readonly plugin: Pick<Plugin, 'backup' | 'restore' | 'health'>;
  readonly accounts: {
    /** Null when there is no account of this login that has a password of its own. */
    renewPassword(login: string): Promise<string | null>;
  };
}

export interface Control {
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Listens on `path`; a socket that a killed process left is in nobody's way. */
export async function startControl(path: string, parts: ControlParts, log: Log): Promise<Control> {
  await rm(path, { force: true });
  const server = createServer((req, res) => {
    answer(req, parts)
      .catch((error: unknown) => {
        log.error({ err: error }, 'a request on the control socket failed');
        return { status: 500, body: '{}' };
      })
      .then(
        ({ status, body }) => {
          res.writeHead(status, { 'content-type': 'application/json' }).end(body);
        },
        () => undefined,
      );
  });
  await listen(server, path);
  await chmod(path, 0o600);
  return { close: () => close(server) };
}

async function answer(req: IncomingMessage, { plugin, accounts }: ControlParts): Promise<Answer> {
  try {
    const text = await readBody(req);
    switch (`${req.method ?? ''} ${req.url ?? ''}`) {
      case 'GET /health':
        return done(await plugin.health());
      case 'POST /backup':
        return { status: 200, body: await plugin.backup() };
      case 'POST /restore':
        return done({ changed: await plugin.restore(text, 'root') });
      case 'POST /new-password':
        return done({ password: await accounts.renewPassword(text) });
      default:
        return { status: 404, body: '{}' };
    }
  } catch (error) {
    if (error instanceof UserError) {
      return { status: 422, body: JSON.stringify({ problems: error.problems }) };
    }
    if (error instanceof HelperError) {
      return { status: 502, body: JSON.stringify({ failure: error.toFailure() }) };
    }
    throw error;
  }
}

function done(data: object): Answer {
  return { status: 200, body: JSON.stringify(data) };
}

async function readBody(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new RangeError('too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(path, resolve);
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
