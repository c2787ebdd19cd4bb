/** `contents-left`: the entries of a section as they were last applied, for a database that never had a say. */
import Joi from 'joi';
import { readSource, type PieceEntries } from '../apply/contents-source.js';
import { readState } from '../state.js';
import { defineAction } from './action.js';

/** Entries of one answer line. */
const AT_ONCE = 1_000;

export const contentsLeftAction = defineAction({
  quiet: true,
  timeoutMs: 120_000,
  params: Joi.object<{ section: string }>({ section: Joi.string().max(64).required() }),
  run: async ({ section }, { paths, progress, taken }) => {
    const left = (await readState(paths)).contents[section];
    const entries = left ? await readSource(paths, section, left.bytes) : null;
    const all = [...(entries ?? [])];
    for (let done = 0; done < all.length; done += AT_ONCE) {
      const row: PieceEntries = all.slice(done, done + AT_ONCE);
      progress({ done, total: all.length, row });
      await taken();
    }
    return null;
  },
});
