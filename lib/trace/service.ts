/** The mail log as pages see it. */
import { noHelper } from '../changes/failures.js';
import type { Helper } from '../client/helper.js';
import type { Log } from '../contract.js';
import { createLogSearches, type LogSearches } from './searches.js';

export function createTraceService({
  helper,
  log,
}: {
  readonly helper: Helper | null;
  readonly log: Log;
}): LogSearches {
  return createLogSearches({ helper: helper ?? ABSENT, log });
}

/** Stands in where the machine has no helper. */
const ABSENT: Helper = { call: () => Promise.reject(noHelper()) };
