/** `security-repair`: starts what the saved settings need and does not run, in the right order, and proves it. */
import Joi from 'joi';
import { REPAIRS, type Repair } from '../../security/work.js';
import { repair } from '../scanning/repair.js';
import { defineAction } from './action.js';

export const securityRepairAction = defineAction({
  /** The official signatures are read for minutes on a slow disk, twice when a start has to be repeated. */
  timeoutMs: 600_000,
  params: Joi.object<{ parts: readonly Repair[] }>({
    parts: Joi.array()
      .items(Joi.string().valid(...REPAIRS))
      .min(1)
      .unique()
      .required(),
  }),
  redact: (params) => params,
  run: ({ parts }, { paths, progress }) => repair(parts, paths, progress),
});
