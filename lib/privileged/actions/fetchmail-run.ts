/** `fetchmail-run`: fetches the mail of one query now, streaming the dialogue. A fetch under way is never started twice. */
import Joi from 'joi';
import { runFetcher } from '../fetcher.js';
import { defineAction } from './action.js';

export const fetchmailRunAction = defineAction({
  // The first look into a large mailbox takes long; the fetch goes on when we give up.
  timeoutMs: 3_500_000,
  params: Joi.object<{ id: string }>({
    id: Joi.string()
      .pattern(/^[1-9][0-9]{0,17}$/)
      .required(),
  }),
  redact: ({ id }) => ({ id }),
  run: async ({ id }, { paths, progress }) => {
    let done = 0;
    return runFetcher(paths, {
      mode: 'fetch',
      id,
      onLine: (line) => progress({ done: (done += 1), total: null, row: line }),
    });
  },
});
