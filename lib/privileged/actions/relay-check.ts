/** `relay-check`: strangers from all over the world try to send through the running Postfix. Changes nothing. */
import Joi from 'joi';
import { checkRelay } from '../relay-check.js';
import { defineAction } from './action.js';

export const relayCheckAction = defineAction({
  quiet: true,
  timeoutMs: 120_000,
  params: Joi.object<Record<string, never>>({}),
  run: (_params, { paths }) => checkRelay(paths),
});
