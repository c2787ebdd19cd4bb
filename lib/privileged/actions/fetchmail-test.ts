/** `fetchmail-test`: logs in with these settings, saved or not, and counts. Fetches nothing, changes nothing. */
import Joi from 'joi';
import { HelperError } from '../../errors.js';
import { renderRunControl } from '../../fetchmail/run-control.js';
import { querySchema, type FetchQuery } from '../../fetchmail/schema.js';
import { openPassword } from '../../fetchmail/security.js';
import { runFetcher } from '../fetcher.js';
import { secretsOf } from '../secrets.js';
import { defineAction } from './action.js';

export const fetchmailTestAction = defineAction({
  timeoutMs: 600_000,
  params: Joi.object<{ query: FetchQuery; saved: boolean }>({
    query: querySchema.required(),
    /** Whether the query has a state of seen mail, and a lock, of its own. */
    saved: Joi.boolean().required(),
  }),
  redact: ({ query }) => {
    const { id, server, protocol, port, remoteUser, ssl, certificate } = query;
    return { id, server, protocol, port, remoteUser, ssl, certificate };
  },
  run: async ({ query, saved }, { paths, progress, signal }) => {
    let done = 0;
    const runControl = renderRunControl(query, {
      password: passwordOf(query, secretsOf(paths).open),
      home: '',
      isLocal: () => true,
    });
    return runFetcher(paths, {
      mode: 'test',
      id: saved ? query.id : null,
      runControl,
      signal,
      onLine: (line) => progress({ done: (done += 1), total: null, row: line }),
    });
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
