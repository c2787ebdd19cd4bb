/** How PGlite is started here: with fsync on, in little memory, and nothing said on the console. */
import { PGlite, type PGliteOptions } from '@electric-sql/pglite';
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
];

export interface StartedPGlite {
  readonly pglite: PGlite;
  readonly fileSystem: DurableNodeFS;
  /** The server's own last words, for the message when it does not start. */
  readonly lastWords: () => string;
}

/** Starts the database in `folder`. The promise of `pglite.waitReady` says whether it came up. */
export function startPGlite(folder: string, options: PGliteOptions = {}): StartedPGlite {
  const fileSystem = new DurableNodeFS(folder);
  const words: string[] = [];
  const remember = (text: string): boolean => {
    words.push(text);
    if (words.length > 20) words.shift();
    return false;
  };
  const pglite = new PGlite({
    ...options,
    fs: fileSystem,
    startParams: START_PARAMETERS,
    onStdout: remember,
    onStderr: remember,
  });
  return { pglite, fileSystem, lastWords: () => words.join('\n') };
}
