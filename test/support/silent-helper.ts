/** A helper that hangs: its socket takes every request, and no answer ever comes. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SilentHelper {
  readonly path: string;
  /** What it was asked ends without an answer, as when somebody kills it. */
  die(): void;
  stop(): Promise<void>;
}

export async function startSilentHelper(): Promise<SilentHelper> {
  const folder = await mkdtemp(join(tmpdir(), 'silent-'));
  const path = join(folder, 'helper.sock');
  const lines = new Set<Socket>();
  const server = createServer((line) => lines.add(line.resume())).listen(path);
  await once(server, 'listening');
  const die = (): void => {
    for (const line of lines) line.destroy();
    lines.clear();
  };
  return {
    path,
    die,
    stop: async () => {
      die();
      server.close();
      await rm(folder, { recursive: true });
    },
  };
}
