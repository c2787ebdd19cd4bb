/** `policy-status`: which policy servers are wanted, whether they answer, and how the block lists are. */
import Joi from 'joi';
import { policyStatus } from '../policy-status.js';
import { defineAction } from './action.js';

export const policyStatusAction = defineAction({
  quiet: true,
  timeoutMs: 30_000,
  params: Joi.object<Record<string, never>>({}),
  run: (_params, { paths }) => policyStatus(paths),
});
