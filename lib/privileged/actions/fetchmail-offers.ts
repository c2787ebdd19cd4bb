/** `fetchmail-offers`: the protocols the installed fetchmail speaks, by its own word. None when it is not installed. */
import { existsSync } from 'node:fs';
import Joi from 'joi';
import { offeredProtocols, type FetchProtocol } from '../../fetchmail/schema.js';
import { runNative } from '../native.js';
import { defineAction } from './action.js';

const FETCHMAIL = '/usr/bin/fetchmail';

export const fetchmailOffersAction = defineAction({
  quiet: true,
  timeoutMs: 20_000,
  params: Joi.object<Record<string, never>>({}),
  run: async (): Promise<{ protocols: readonly FetchProtocol[] }> => {
    if (!existsSync(FETCHMAIL)) return { protocols: [] };
    const environment = { PATH: '/usr/bin:/bin', LC_ALL: 'C', HOME: '/' };
    const options = { input: '\n', environment };
    const { stdout } = await runNative(FETCHMAIL, ['-f', '-', '--configdump'], options);
    return { protocols: offeredProtocols(stdout) };
  },
});
