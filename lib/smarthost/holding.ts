import Joi from 'joi';
import { createFormHolding, type Holding, type HeldSecret } from '../settings/holding.js';
import { keepsPassword } from './binding.js';
import { smarthostSchema, type SmarthostSettings } from './schema.js';
import { readSmarthost } from './source.js';

const PASSWORD = 'smarthost/password';

/** Stands for a password that is entered later. */
const SOME_BOX = `mb1.${'A'.repeat(80)}`;

/** What the form would take, but that a user may still lack the password. */
const withOrWithoutPassword = Joi.any().custom((value: SmarthostSettings, helpers) => {
  const lacks = typeof value === 'object' && value.password === '' && value.username !== '';
  const whole: unknown = lacks ? { ...value, password: SOME_BOX } : value;
  const { error } = smarthostSchema.validate(whole, { convert: false });
  const path = error?.details[0]?.path ?? [];
  return error ? helpers.error('any.invalid', {}, { path }) : value;
}) as Joi.Schema<SmarthostSettings>;

/** The smarthost as a whole. `seal` seals a password to the server and user of the settings. */
export function createSmarthostHolding(
  seal: (secret: string, settings: SmarthostSettings) => Promise<string>,
): Holding<SmarthostSettings> {
  const secretsOf = ({ username, host }: SmarthostSettings): readonly HeldSecret[] =>
    username === '' ? [] : [{ name: PASSWORD, about: `${username}, ${host}` }];
  return createFormHolding('smarthost', withOrWithoutPassword, {
    read: async (db) => (await readSmarthost(db))?.settings ?? null,
    secrets: {
      of: secretsOf,
      box: ({ password }) => password,
      strip: (settings) => ({ ...settings, password: '' }),
      fill: (settings, present, given) => {
        const wanted = given.get(PASSWORD);
        const withPassword = (password: string) => ({
          value: { ...settings, password },
          missing: [],
        });
        if (settings.username === '' || settings.password !== '')
          return withPassword(settings.password);
        if (wanted === 'without') return { value: { ...settings, username: '' }, missing: [] };
        if (wanted !== undefined) return withPassword(wanted.box);
        const kept =
          present !== null && present.password !== '' && keepsPassword(present, settings);
        if (kept) return withPassword(present.password);
        return { value: settings, missing: secretsOf(settings) };
      },
      seal: (settings, _name, secret) => seal(secret, settings),
    },
  });
}
