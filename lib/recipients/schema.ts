/** Recipients: whom Postfix knows where the users are the console's own and not those of the system. */
import Joi from 'joi';
import { isAliasName } from '../aliases/address.js';

/** `table`: a lookup table follows the console's directory. `nss`: Postfix asks the system itself. */
export interface RecipientSettings {
  readonly kind: 'nss' | 'table';
}

export const recipientSettingsSchema = Joi.object<RecipientSettings>({
  kind: Joi.string().valid('nss', 'table').required(),
}).required();

/**
 * Whether a pair may cross the border as a known recipient: a login, an address of a user, or an address' local part,
 * and the login it belongs to; without `login`, one that goes.
 */
export function isRecipientEntry(name: unknown, login: unknown): boolean {
  if (typeof name !== 'string' || name.startsWith('@') || !isAliasName(name)) return false;
  return login === undefined || (typeof login === 'string' && isLogin(login));
}

/** Whether a login can be the name of a mailbox: its one form, as Postfix looks it up. */
export function isLogin(login: string): boolean {
  return !login.includes('@') && isAliasName(login);
}
