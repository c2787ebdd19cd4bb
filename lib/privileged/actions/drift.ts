/** `drift`: what was edited by hand since we wrote it. */
import Joi from 'joi';
import { findDrift } from '../apply/drift.js';
import { recover } from '../apply/recover.js';
import { ensurePrivateFolder } from '../files.js';
import { takeLock } from '../lock.js';
import { readConfig } from '../postfix/config-view.js';
import { readState } from '../state.js';
import { defineAction } from './action.js';

/** How long a page waits for the save under way, in seconds; after that it is told that there is one. */
const SAVE_WAIT_S = 15;

export const driftAction = defineAction({
  quiet: true,
  timeoutMs: 150_000,
  params: Joi.object<Record<string, never>>({}),
  run: async (_params, { paths, registry }) => {
    await ensurePrivateFolder(paths.stateDir);
    // Half way through a save, or after one that was killed, our own new values would look like somebody's edits.
    const lock = await takeLock(`${paths.stateDir}/lock`, SAVE_WAIT_S);
    try {
      await recover(paths, await registry());
      const [view, state] = await Promise.all([
        readConfig(paths.configDir, paths),
        readState(paths),
      ]);
      return await findDrift(state, view, paths, await registry());
    } finally {
      lock.release();
    }
  },
});
