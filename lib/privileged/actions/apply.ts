/** `apply`: one change, all of it or nothing. `dryRun` says what it would do. */
import Joi from 'joi';
import { apply } from '../apply/apply.js';
import { receiveContents } from '../apply/contents-received.js';
import { secretsOf } from '../secrets.js';
import type { ApplyParams, RowsChange } from '../protocol.js';
import { defineAction } from './action.js';

/**
 * The longest a save may take, in milliseconds: a virus scanner that reads its signatures for three minutes, amavis, Postfix,
 * the proof, and all of it back again.
 */
const APPLY_TIMEOUT_MS = 600_000;

/** Names as the sections have them: no key here can be one of JavaScript's own. */
const SECTION_ID = /^[a-z][a-z0-9-]{0,63}$/;
/** Parameters, services (`smtp/inet`), files below the root. */
const OWNED_NAME = /^\/?[A-Za-z0-9][A-Za-z0-9_./:[\]-]{0,255}$/;

/** Rows of one section that one change may touch. */
const MAX_ROWS = 10_000;
const ROW_ID = Joi.string().pattern(/^[1-9][0-9]{0,17}$/);

const edits = Joi.object().pattern(OWNED_NAME, Joi.string().hex().length(64)).max(1_000);

export const applyAction = defineAction({
  timeoutMs: APPLY_TIMEOUT_MS,
  changes: 'told',
  params: Joi.object<ApplyParams>({
    databaseId: Joi.string().uuid().required(),
    change: Joi.number()
      .integer()
      .min(0)
      .when('dryRun', { is: false, then: Joi.number().min(1) })
      .required(),
    dryRun: Joi.boolean().required(),
    sections: Joi.object()
      .pattern(SECTION_ID, Joi.any())
      .max(64)
      .when('rows', { is: Joi.exist(), otherwise: Joi.object().min(1) })
      .required(),
    rows: Joi.object()
      .pattern(
        SECTION_ID,
        Joi.object<RowsChange>({
          base: Joi.string().uuid().required(),
          set: Joi.array().max(MAX_ROWS).required(),
          gone: Joi.array().items(ROW_ID).max(MAX_ROWS).required(),
        }),
      )
      .max(64),
    contents: Joi.object()
      .pattern(
        SECTION_ID,
        Joi.object({ base: Joi.string().hex().length(64).allow(null).required() }),
      )
      .max(64),
    overwrite: edits,
    take: edits,
    leave: edits,
    adopt: Joi.boolean(),
  }),
  redact: ({ databaseId, change, dryRun, sections, rows = {}, contents = {} }) => ({
    databaseId,
    change,
    dryRun,
    sections: Object.keys({ ...sections, ...rows }),
    contents: Object.keys(contents),
  }),
  run: async (params, { paths, registry, items, changing }) => {
    const known = await registry();
    const receiving = receiveContents(params.contents ?? {}, items, known);
    const secrets = secretsOf(paths);
    try {
      return await apply(params, { paths, registry: known, secrets, receiving, changing });
    } catch (error) {
      // To end while the other side still sends would cut the connection, and the answer with it (write(2): EPIPE).
      await receiving.drain().catch(() => undefined);
      throw error;
    }
  },
});
