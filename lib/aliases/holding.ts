import Joi from 'joi';
import type { TouchedRow } from '../changes/change.js';
import type { Holding } from '../settings/holding.js';
import { isAliasEntry, MAX_NOTE_LENGTH, type AliasSettings } from './schema.js';
import {
  insertAliases,
  readAllAliases,
  removeAliases,
  updateAlias,
  type AliasValues,
} from './store.js';

/** All aliases, those that are switched off and the notes too. */
export interface AllAliases {
  readonly aliases: readonly AliasValues[];
}

const alias = Joi.object<AliasValues>({
  name: Joi.string().required(),
  targets: Joi.array().items(Joi.string()).required(),
  note: Joi.string()
    .allow('')
    .max(MAX_NOTE_LENGTH)
    .pattern(/[\p{Cc}\u2028\u2029]/u, { invert: true })
    .required(),
  enabled: Joi.boolean().required(),
}).custom((value: AliasValues, helpers) =>
  isAliasEntry(value.name, value.targets) ? value : helpers.error('any.invalid'),
);

/** The administrator's aliases as a whole. */
export const aliasesHolding: Holding<AllAliases> = {
  section: 'aliases',
  schema: Joi.object<AllAliases>({
    aliases: Joi.array().items(alias).unique('name').required(),
  }).required(),
  read: async (db) => {
    const aliases = (await readAllAliases(db)).map(({ name, targets, note, enabled }) => {
      return { name, targets, note, enabled };
    });
    return { aliases };
  },
  isEmpty: ({ aliases }) => aliases.length === 0,
  write: async (trx, { aliases }, actor) => {
    const rows = await readAllAliases(trx);
    const wanted = new Map(aliases.map((one) => [one.name, one]));
    const there = new Set(rows.map(({ name }) => name));
    const gone = rows.filter(({ name }) => !wanted.has(name));
    const touched: TouchedRow[] = [...(await removeAliases(trx, gone))];
    for (const row of rows) {
      const values = wanted.get(row.name);
      if (values && !isSame(values, row)) {
        touched.push(...(await updateAlias(trx, row, values, actor)));
      }
    }
    const fresh = aliases.filter(({ name }) => !there.has(name));
    return [...touched, ...(await insertAliases(trx, fresh, actor))];
  },
  /** The machine says no more than whether any alias holds: without them, all are switched off. */
  fromMachine: (settings, present) => {
    if (present === null || present.aliases.length === 0) return null;
    const { active } = settings as AliasSettings;
    return active
      ? present
      : { aliases: present.aliases.map((one) => ({ ...one, enabled: false })) };
  },
};

function isSame(left: AliasValues, right: AliasValues): boolean {
  const text = ({ targets, note, enabled }: AliasValues) =>
    JSON.stringify([targets, note, enabled]);
  return text(left) === text(right);
}
