/** `certificates`: which pairs of the certificate folder can be used, asked of those who can read the keys. */
import Joi from 'joi';
import { findCertificates } from '../certificates.js';
import { defineAction } from './action.js';

export const certificatesAction = defineAction({
  quiet: true,
  timeoutMs: 20_000,
  params: Joi.object<Record<string, never>>({}),
  run: (_params, { paths }) =>
    Promise.resolve(findCertificates(paths).map(({ id, problem }) => ({ id, problem }))),
});
