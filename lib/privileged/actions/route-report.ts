/** `route-report`: Postfix' own report of what it would do with mail to an address. No message is sent to anybody. */
import Joi from 'joi';
import { addressSchema } from '../../route/schema.js';
import { reportRoute } from '../route/report.js';
import { defineAction } from './action.js';

export const routeReportAction = defineAction({
  timeoutMs: 40_000,
  changes: 'never',
  params: Joi.object<{ address: string }>({ address: addressSchema.required() }),
  redact: ({ address }) => ({ address }),
  run: ({ address }, { paths }) => reportRoute(address, paths),
});
