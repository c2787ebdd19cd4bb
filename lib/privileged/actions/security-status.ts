/** `security-status`: the chain of the scanners, link by link. Starts and changes nothing. */
import { plainParams, defineAction } from './action.js';
import { scannerStatus } from '../scanning/status.js';

export const securityStatusAction = defineAction({
  quiet: true,
  timeoutMs: 30_000,
  params: plainParams<Record<string, never>>({}),
  run: (_params, { paths }) => scannerStatus(paths),
});
