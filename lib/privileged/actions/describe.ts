/** `describe`: who the helper is, its public key, and what the machine has. */
import { existsSync } from 'node:fs';
import os from 'node:os';
import Joi from 'joi';
import { publicKey } from '../keys.js';
import { runNative } from '../native.js';
import { PROTOCOL_VERSION } from '../protocol.js';
import { POSTCONF } from '../postfix/config-view.js';
import { postfixService, supervisorOf } from '../services/postfix.js';
import { defineAction } from './action.js';

export const describeAction = defineAction({
  quiet: true,
  timeoutMs: 20_000,
  params: Joi.object<Record<string, never>>({}),
  run: async (_params, { paths }) => {
    const installed = existsSync(POSTCONF);
    const [key, running, names] = await Promise.all([
      publicKey(paths),
      installed ? postfixService(paths).running() : false,
      installed
        ? runNative(POSTCONF, ['-c', paths.configDir, '-dh', 'mail_version', 'myhostname'])
        : null,
    ]);
    const [version = '', machineName = os.hostname()] = names?.stdout.split('\n') ?? [];
    return {
      protocol: PROTOCOL_VERSION,
      publicKey: key,
      postfix: { installed, running, version },
      /** What Postfix calls itself when no name is set. */
      machineName,
      supervisor: supervisorOf(paths),
    };
  },
});
