/**
 * `fetchmailrc-retire`: ends a fetchmail that somebody else set up and puts its file aside, and hands on what it had seen to
 * the queries that come after it: nothing is fetched a second time. To be asked while these queries are still off.
 */
import Joi from 'joi';
import { seedSeen } from '../fetcher.js';
import { readFetchmailrc, retireFetchmailrc, seenBefore } from '../takeover/fetchmailrc.js';
import { defineAction } from './action.js';

interface Heir {
  /** Of the query. */
  readonly id: string;
  /** What the old file of seen messages calls its mailbox. */
  readonly seenAs: string;
}

export const fetchmailrcRetireAction = defineAction({
  timeoutMs: 60_000,
  params: Joi.object<{ digest: string; heirs: readonly Heir[] }>({
    digest: Joi.string().hex().length(64).required(),
    heirs: Joi.array()
      .max(2_000)
      .items(
        Joi.object({
          id: Joi.string()
            .pattern(/^[1-9][0-9]{0,17}$/)
            .required(),
          seenAs: Joi.string().min(3).max(1_000).required(),
        }),
      )
      .required(),
  }),
  redact: ({ heirs }) => ({ queries: heirs.map(({ id }) => id) }),
  run: async ({ digest, heirs }, { paths }) => {
    const before = await readFetchmailrc(paths);
    const aside = await retireFetchmailrc(paths, digest);
    let seen = 0;
    for (const heir of heirs) {
      const lines = await seenBefore(paths, { idFile: before?.idFile ?? '' }, heir.seenAs);
      if (lines === '') continue;
      await seedSeen(paths, heir.id, lines);
      seen += lines.split('\n').length - 1;
    }
    return { aside, seen };
  },
});
