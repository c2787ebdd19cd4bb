/** `postfix-start`: starts Postfix when it is down. When it does not come up the error says why, in the mail log's words. */
import Joi from 'joi';
import { activate } from '../apply/activate.js';
import { openMailLog } from '../mail-log.js';
import { readConfig } from '../postfix/config-view.js';
import { postfixService } from '../services/postfix.js';
import { defineAction } from './action.js';

export const postfixStartAction = defineAction({
  timeoutMs: 60_000,
  params: Joi.object<Record<string, never>>({}),
  run: async (_params, { paths }) => {
    const view = await readConfig(paths.configDir, paths);
    const log = await openMailLog(view, paths).catch(() => null);
    return { did: await activate(postfixService(paths), 'none', log) };
  },
});
