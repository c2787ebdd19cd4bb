/** `dkim-keys`: what signs the mail that leaves here, with the public keys. Changes nothing. */
import { signingOf } from '../dkim/signing.js';
import { defineAction, plainParams } from './action.js';

export const dkimKeysAction = defineAction({
  quiet: true,
  changes: 'never',
  timeoutMs: 30_000,
  params: plainParams<Record<string, never>>({}),
  run: (_params, { paths }) => signingOf(paths),
});
