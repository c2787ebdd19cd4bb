/**
 * `fetchmail-test`: logs in with these settings, saved or not, and counts, or looks at what waits and who would get it.
 * Fetches nothing, changes nothing.
 */
import Joi from 'joi';
import { HelperError } from '../../errors.js';
import type { LookWish } from '../../fetcher/look.js';
import { queryAddress, renderRunControl } from '../../fetchmail/run-control.js';
import { querySchema, type FetchQuery } from '../../fetchmail/schema.js';
import { surroundingsOf } from '../../fetchmail/section.js';
import { openPassword } from '../../fetchmail/security.js';
import { runFetcher } from '../fetcher.js';
import { readConfig } from '../postfix/config-view.js';
import { secretsOf } from '../secrets.js';
import { readState } from '../state.js';
import { defineAction } from './action.js';

export const fetchmailTestAction = defineAction({
  timeoutMs: 600_000,
  changes: 'never',
  params: Joi.object<{ query: FetchQuery; saved: boolean; look: boolean }>({
    query: querySchema.required(),
    /** Whether the query has a state of seen mail, and a lock, of its own. */
    saved: Joi.boolean().required(),
    /** Also who would get what waits there. */
    look: Joi.boolean().required(),
  }),
  redact: ({ query }) => {
    const { id, server, protocol, port, remoteUser, ssl, certificate } = query;
    return { id, server, protocol, port, remoteUser, ssl, certificate };
  },
  run: async ({ query, saved, look }, { paths, progress, signal }) => {
    let done = 0;
    const order = {
      id: saved ? query.id : null,
      signal,
      onLine: (line: string) => progress({ done: (done += 1), total: null, row: line }),
    };
    const password = passwordOf(query, secretsOf(paths).open);
    if (!look) {
      const input = renderRunControl(query, { password, home: '', isLocal: () => true });
      return runFetcher(paths, { ...order, mode: 'test', input });
    }
    const [system, { sections }] = await Promise.all([
      readConfig(paths.configDir, paths),
      readState(paths),
    ]);
    const runControl = renderRunControl(query, { password, ...surroundingsOf(sections, system) });
    const port = system.port('fetchmailIn');
    const inUse = system.masterService(`127.0.0.1:${port}/inet`) !== null;
    const what: LookWish = {
      deliveryPort: inUse ? port : 0,
      fallback: queryAddress(query.id),
      domains: query.localDomains,
    };
    const input = `${JSON.stringify(what)}\n${runControl}`;
    return runFetcher(paths, { ...order, mode: 'look', input });
  },
});

function passwordOf(
  query: FetchQuery,
  open: (box: string, binding: readonly string[]) => string,
): string {
  if (query.remotePassword === '') return '';
  try {
    return openPassword(query, open);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    const values = { section: 'fetchmail', field: 'remotePassword' };
    const key = 'fetchmail.problem.passwordAgain';
    throw new HelperError(
      { stage: 'validate', key, values, detail: '', restored: true },
      { cause },
    );
  }
}
