/** `apply`: one change, all of it or nothing. `dryRun` says what it would do. */
import Joi from 'joi';
import { apply } from '../apply/apply.js';
import { secretsOf } from '../secrets.js';
import type { ApplyParams } from '../protocol.js';
import { defineAction } from './action.js';

/** The longest a save may take: start of Postfix, proof, and all of it back again. In milliseconds. */
const APPLY_TIMEOUT_MS = 240_000;

export const applyAction = defineAction({
  timeoutMs: APPLY_TIMEOUT_MS,
  params: Joi.object<ApplyParams>({
    databaseId: Joi.string().uuid().required(),
    change: Joi.number().integer().min(0).required(),
    dryRun: Joi.boolean().required(),
    sections: Joi.object().pattern(Joi.string().max(64), Joi.any()).min(1).max(64).required(),
    overwrite: Joi.object()
      .pattern(Joi.string().max(256), Joi.string().hex().length(64))
      .max(1_000),
    adopt: Joi.boolean(),
  }),
  redact: ({ databaseId, change, dryRun, sections }) => ({
    databaseId,
    change,
    dryRun,
    sections: Object.keys(sections),
  }),
  run: async (params, { paths, registry }) =>
    apply(params, { paths, registry: await registry(), open: await secretsOf(paths) }),
});
