/** `route`: where mail to an address goes, asked of the running Postfix' own tables. Reads them, changes nothing. */
import Joi from 'joi';
import { addressSchema } from '../../route/schema.js';
import { traceRoute } from '../route/trace.js';
import { postfixService } from '../services/postfix.js';
import { defineAction } from './action.js';

export const routeAction = defineAction({
  quiet: true,
  timeoutMs: 30_000,
  params: Joi.object<{ address: string }>({ address: addressSchema.required() }),
  run: async ({ address }, { paths }) =>
    traceRoute(address, paths, await postfixService(paths).running()),
});
