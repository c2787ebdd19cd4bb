/** `drift`: what was edited by hand since we wrote it. */
import Joi from 'joi';
import { findDrift } from '../apply/drift.js';
import { readConfig } from '../postfix/config-view.js';
import { readState } from '../state.js';
import { defineAction } from './action.js';

export const driftAction = defineAction({
  quiet: true,
  timeoutMs: 20_000,
  params: Joi.object<Record<string, never>>({}),
  run: async (_params, { paths, registry }) => {
    const [view, state] = await Promise.all([readConfig(paths.configDir, paths), readState(paths)]);
    return findDrift(state, view, paths, await registry());
  },
});
