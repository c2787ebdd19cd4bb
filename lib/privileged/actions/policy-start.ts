/** `policy-start`: starts the policy servers that are wanted and do not answer, and says how they are then. */
import Joi from 'joi';
import { policyStatus } from '../policy-status.js';
import { daemonOf } from '../services/daemons.js';
import { wantedServers } from '../services/policy-servers.js';
import { defineAction } from './action.js';

export const policyStartAction = defineAction({
  timeoutMs: 120_000,
  params: Joi.object<Record<string, never>>({}),
  run: async (_params, { paths }) => {
    for (const { definition } of wantedServers(paths)) {
      const daemon = daemonOf(definition, paths);
      if (!(await daemon.answers())) await daemon.restart();
    }
    return policyStatus(paths);
  },
});
