/** `smarthost-test`: speaks with a smarthost as Postfix would with these settings, saved or not. Changes nothing. */
import Joi from 'joi';
import { smarthostSchema, type SmarthostSettings } from '../../smarthost/schema.js';
import { plainAddress } from '../../smarthost/address.js';
import { secretsOf } from '../secrets.js';
import { TRIAL_LIMIT_MS, tryConnection } from '../trial/connection.js';
import { defineAction } from './action.js';

export const smarthostTestAction = defineAction({
  timeoutMs: TRIAL_LIMIT_MS + 60_000,
  changes: 'never',
  params: Joi.object<{ settings: SmarthostSettings; sender: string; recipient: string }>({
    settings: smarthostSchema,
    sender: plainAddress.required(),
    recipient: plainAddress.required(),
  }),
  redact: ({ settings, sender, recipient }) => {
    const { host, port, mx, tls, verify, username } = settings;
    return { host, port, mx, tls, verify, username, sender, recipient };
  },
  run: async (order, { paths, registry, signal }) =>
    tryConnection(order, { paths, registry: await registry(), secrets: secretsOf(paths), signal }),
});
