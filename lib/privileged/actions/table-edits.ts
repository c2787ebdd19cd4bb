/** `table-edits`: the entries of a table of ours that somebody changed by hand. Reads them, changes nothing. */
import Joi from 'joi';
import { tableEdits } from '../apply/table-edits.js';
import { readState } from '../state.js';
import { defineAction } from './action.js';

export const tableEditsAction = defineAction({
  quiet: true,
  timeoutMs: 120_000,
  params: Joi.object<{ section: string; table: string }>({
    section: Joi.string().max(64).required(),
    table: Joi.string().max(64).required(),
  }),
  run: async ({ section: id, table }, { paths, registry }) => {
    const section = (await registry()).get(id);
    const was = (await readState(paths)).contents[id];
    if (!section || !was || !section.owns.tables.includes(table)) return { edits: [], more: false };
    return tableEdits(section, was, table, paths);
  },
});
