/** `record`: the last change the helper finished. After a crash it says which side is ahead. */
import Joi from 'joi';
import { recover } from '../apply/recover.js';
import { ensurePrivateFolder } from '../files.js';
import { takeLock } from '../lock.js';
import { readState } from '../state.js';
import { defineAction } from './action.js';

export const recordAction = defineAction({
  quiet: true,
  timeoutMs: 150_000,
  params: Joi.object<Record<string, never>>({}),
  run: async (_params, { paths, registry }) => {
    await ensurePrivateFolder(paths.stateDir);
    const lock = await takeLock(`${paths.stateDir}/lock`);
    try {
      await recover(paths, await registry());
      return (await readState(paths)).record;
    } finally {
      lock.release();
    }
  },
});
