/** `fetchmailrc`: what of a fetchmail that somebody else set up would become queries, and what not. Changes nothing. */
import Joi from 'joi';
import { bindingOf } from '../../fetchmail/security.js';
import type { FoundQuery } from '../../fetchmail/take-over.js';
import { publicKey } from '../keys.js';
import { secretsOf } from '../secrets.js';
import { readFetchmailrc } from '../takeover/fetchmailrc.js';
import { defineAction } from './action.js';

/** As the web side sees it: the password sealed to its query, and nowhere in clear. */
export type SealedFind = Omit<FoundQuery, 'password'>;

export const fetchmailrcAction = defineAction({
  quiet: true,
  timeoutMs: 30_000,
  params: Joi.object<Record<string, never>>({}),
  run: async (_params, { paths }) => {
    await publicKey(paths);
    const read = await readFetchmailrc(paths);
    if (read === null) return null;
    const { seal } = secretsOf(paths);
    const { file, digest, running, complaint } = read;
    const found = read.found.map(({ password, query, ...rest }): SealedFind => {
      if (query === null) return { ...rest, query };
      return { ...rest, query: { ...query, remotePassword: seal(password, bindingOf(query)) } };
    });
    return { file, digest, running, complaint, found };
  },
});
