/** `settings-left`: the settings of a section as they were last applied, secrets sealed, for a database that never had a say. */
import Joi from 'joi';
import { readState } from '../state.js';
import { defineAction } from './action.js';

export const settingsLeftAction = defineAction({
  quiet: true,
  timeoutMs: 30_000,
  params: Joi.object<{ section: string }>({ section: Joi.string().max(64).required() }),
  run: async ({ section }, { paths }): Promise<unknown> => {
    const { sections } = await readState(paths);
    return Object.hasOwn(sections, section) ? sections[section] : null;
  },
});
