import type { Log } from '../../lib/contract.js';

/** For tests that do not look at the log. */
export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export interface LogEntry {
  readonly level: keyof Log;
  readonly details: object;
  readonly message: string;
}

/** A log that can be looked at. */
export function recordingLog(): { log: Log; entries: LogEntry[] } {
  const entries: LogEntry[] = [];
  const at = (level: keyof Log) => (details: object, message: string) => {
    entries.push({ level, details, message });
  };
  return {
    log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') },
    entries,
  };
}
