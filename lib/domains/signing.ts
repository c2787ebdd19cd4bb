/** What this server signs, as the helper tells, for checks of many domains one after the other. */
import type { Helper } from '../client/helper.js';
import { HelperError } from '../errors.js';
import type { Log } from '../contract.js';
import type { Signing } from './dkim.js';

/** So old the answer may be, in milliseconds. */
const LIFETIME_MS = 60_000;

/** Gives null while nobody can say. Never rejects with a `HelperError`. */
export function createSigning(helper: Helper | null, log: Log): () => Promise<Signing | null> {
  let last: { readonly signing: Signing | null; readonly at: number } | null = null;
  return async () => {
    if (helper === null) return null;
    if (last === null || Date.now() - last.at > LIFETIME_MS) {
      last = { signing: await ask(helper, log), at: Date.now() };
    }
    return last.signing;
  };
}

async function ask(helper: Helper, log: Log): Promise<Signing | null> {
  try {
    return await helper.call('dkim-keys', {}, { actor: 'pages' });
  } catch (error) {
    if (!(error instanceof HelperError)) throw error;
    log.warn({ err: error }, 'what is signed here is not known');
    return null;
  }
}
