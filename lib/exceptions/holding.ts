import Joi from 'joi';
import type { TouchedRow } from '../changes/change.js';
import type { Holding } from '../settings/holding.js';
import { MAX_EXCEPTIONS, MAX_NOTE_CHARS } from './schema.js';
import {
  insertExceptions,
  readAllExceptions,
  removeExceptions,
  updateException,
  type ExceptionValues,
} from './store.js';
import { isException } from './value.js';

/** All exceptions, those that are switched off and the notes too. */
export interface AllExceptions {
  readonly exceptions: readonly ExceptionValues[];
}

const exception = Joi.object<ExceptionValues>({
  value: Joi.string()
    .required()
    .custom((value: string, helpers) =>
      isException(value) ? value : helpers.error('any.invalid'),
    ),
  note: Joi.string()
    .allow('')
    .max(MAX_NOTE_CHARS)
    .pattern(/[\p{Cc}\u2028\u2029]/u, { invert: true })
    .required(),
  enabled: Joi.boolean().required(),
});

/** The list of exceptions as a whole. Nothing on a machine becomes one by itself. */
export const exceptionsHolding: Holding<AllExceptions> = {
  section: 'exceptions',
  schema: Joi.object<AllExceptions>({
    exceptions: Joi.array().items(exception).max(MAX_EXCEPTIONS).unique('value').required(),
  }).required(),
  read: async (db) => {
    const rows = await readAllExceptions(db);
    return { exceptions: rows.map(({ value, note, enabled }) => ({ value, note, enabled })) };
  },
  isEmpty: ({ exceptions }) => exceptions.length === 0,
  write: async (trx, { exceptions }, actor) => {
    const rows = await readAllExceptions(trx);
    const wanted = new Map(exceptions.map((one) => [one.value, one]));
    const gone = rows.filter(({ value }) => !wanted.has(value));
    const touched: TouchedRow[] = [...(await removeExceptions(trx, gone))];
    for (const row of rows) {
      const values = wanted.get(row.value);
      if (values && (values.note !== row.note || values.enabled !== row.enabled)) {
        touched.push(...(await updateException(trx, row, values, actor)));
      }
    }
    const there = new Set(rows.map(({ value }) => value));
    const fresh = exceptions.filter(({ value }) => !there.has(value));
    return [...touched, ...(await insertExceptions(trx, fresh, actor))];
  },
};
