/** `security-update`: fetches newer virus signatures, or rules for spam, now. */
import Joi from 'joi';
import { UPDATES, type Update } from '../../security/work.js';
import { FETCH_LIMIT_MS, PROXY_URL, update } from '../scanning/update.js';
import { defineAction } from './action.js';

export const securityUpdateAction = defineAction({
  timeoutMs: FETCH_LIMIT_MS + 120_000,
  params: Joi.object<{ what: Update; proxy: string | null }>({
    what: Joi.string()
      .valid(...UPDATES)
      .required(),
    proxy: Joi.string().max(300).pattern(PROXY_URL).allow(null).required(),
  }),
  // A proxy may have a password.
  redact: ({ what }) => ({ what }),
  run: ({ what, proxy }, { paths, progress }) => update(what, proxy, paths, progress),
});
