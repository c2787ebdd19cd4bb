/** `trace`: searches the mail log, streamed while it still searches, ended early at its limits or when asked to. */
import { setPriority } from 'node:os';
import {
  MAX_FOUND,
  MAX_FOUND_REFUSALS,
  MAX_SEARCH_SECONDS,
  WANTED_TESTS,
  type Wanted,
} from '../../trace/schema.js';
import { runNative } from '../native.js';
import { POSTCONF } from '../postfix/config-view.js';
import { LogFiles } from '../trace/log-files.js';
import { searchLog } from '../trace/search.js';
import { defineAction, plainParams } from './action.js';

/** What the search itself does not count: to unpack the log it reads last. Milliseconds. */
const UNPACK_MS = 120_000;
/** Mail is delivered before the log is searched (nice(1)). */
const NICENESS = 10;

export const traceAction = defineAction({
  timeoutMs: MAX_SEARCH_SECONDS * 1000 + UNPACK_MS,
  changes: 'never',
  params: plainParams<Wanted>(WANTED_TESTS),
  /** Who looked for whose mail is worth a line. */
  redact: (wanted) => wanted,
  run: async (wanted, { paths, signal, progress, taken }) => {
    setPriority(NICENESS);
    const named = await runNative(POSTCONF, ['-c', paths.configDir, '-h', 'maillog_file']);
    const files = await LogFiles.find(paths, named.stdout.trim());
    let searched = 0;
    const total = files.bytes;
    try {
      return await searchLog({
        files,
        wanted,
        signal,
        maxFound: wanted.kind === 'refusals' ? MAX_FOUND_REFUSALS : MAX_FOUND,
        onFound: async (message) => {
          progress({ done: searched, total, row: message });
          await taken();
        },
        onProgress: (done) => {
          searched = done;
          progress({ done, total });
        },
      });
    } finally {
      await files.close();
    }
  },
});
