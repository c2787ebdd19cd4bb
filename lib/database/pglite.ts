/** How PGlite is started here: with fsync on, in little memory, and nothing said on the console. */
import { PGlite } from '@electric-sql/pglite';
import { pg_trgm as trigrams } from '@electric-sql/pglite/contrib/pg_trgm';
import { DurableNodeFS } from './durable-fs.js';

/** PGlite's own start parameters without `-F` (no fsync), and with the settings that make a commit durable. */
const START_PARAMETERS = [
  ...PGlite.defaultStartParams.filter((parameter) => parameter !== '-F'),
  '-c',
  'fsync=on',
  // The default, fdatasync, is an empty function in this build.
  '-c',
  'wal_sync_method=fsync',
  '-c',
  'shared_buffers=16MB',
  // Else a recovery that fails leaves a timer behind, which keeps the process alive for ever.
  '-c',
  'log_startup_progress_interval=0',
];

/** Lines of the server's own log that are kept for a message. */
const REMEMBERED_LINES = 20;

export interface StartedPGlite {
  readonly pglite: PGlite;
  readonly fileSystem: DurableNodeFS;
  /** The last lines of the server's own log. */
  readonly lastWords: () => string;
  /** Calls back when the server gave up (PANIC): nothing may be sent to it any more, the next message would never return. */
  onAbort(listener: () => void): void;
}

/** Starts the database in `folder`. The promise `pglite.waitReady` says whether it came up. */
export function startPGlite(folder: string): StartedPGlite {
  const fileSystem = new DurableNodeFS(folder);
  const words: string[] = [];
  const listeners: (() => void)[] = [];
  const hear = (text: string): boolean => {
    words.push(text);
    if (words.length > REMEMBERED_LINES) words.shift();
    // What the WebAssembly runtime says last of all.
    if (text.startsWith('Aborted(')) for (const listener of listeners) listener();
    return false;
  };
  const pglite = new PGlite({
    fs: fileSystem,
    startParams: START_PARAMETERS,
    extensions: { trigrams },
    onStdout: hear,
    onStderr: hear,
  });
  return {
    pglite,
    fileSystem,
    lastWords: () => words.join('\n'),
    onAbort: (listener) => listeners.push(listener),
  };
}
