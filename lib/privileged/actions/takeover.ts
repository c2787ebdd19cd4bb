/** `takeover`: what a server that was set up by somebody else says, setting by setting. Reads it, changes nothing. */
import Joi from 'joi';
import { findDrift } from '../apply/drift.js';
import { survey } from '../../takeover/survey.js';
import { publicKey } from '../keys.js';
import { readState } from '../state.js';
import { takeInventory } from '../takeover/inventory.js';
import { defineAction } from './action.js';

export const takeoverAction = defineAction({
  quiet: true,
  timeoutMs: 30_000,
  params: Joi.object<Record<string, never>>({}),
  run: async (_params, { paths, registry }) => {
    const known = await registry();
    // A password that is found is sealed at once, also before anybody else asked for the key.
    await publicKey(paths);
    const [inventory, state] = await Promise.all([takeInventory(paths, known), readState(paths)]);
    const { findings, settings } = survey(inventory);
    const drift = await findDrift(state, inventory.view, paths, known);
    const edits = Object.fromEntries(drift.map(({ name, digest }) => [name, digest]));
    return { findings, settings, edits };
  },
});
