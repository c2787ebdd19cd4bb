import Joi from 'joi';
import type { Role } from '../../contract.js';

/** `console.admin` looks after this console: accounts and its own settings. */
export type ConsoleRole = Role | 'console.admin';

/** `own`: the password is kept here. `system`: saslauthd asks the machine. */
export type AccountKind = 'own' | 'system';

export interface Account {
  readonly id: string;
  readonly login: string;
  readonly name: string;
  readonly email: string | null;
  readonly kind: AccountKind;
  readonly roles: readonly ConsoleRole[];
  readonly disabled: boolean;
  readonly version: number;
  readonly createdAt: Date;
  readonly createdBy: string;
  readonly signedInAt: Date | null;
}

/** What the form of an account holds. */
export interface AccountSettings {
  readonly login: string;
  readonly name: string;
  readonly email: string;
  readonly kind: AccountKind;
  readonly level: MailLevel;
  readonly manages: boolean;
}

/** From least to most; each holds what the ones before it may. */
export const MAIL_LEVELS = ['none', 'read', 'operate', 'admin'] as const;
export type MailLevel = (typeof MAIL_LEVELS)[number];

/** Characters; a passphrase of a few words has more. Rate limits do the rest (NIST SP 800-63B, 5.1.1). */
export const MIN_PASSWORD_LENGTH = 10;
/** Bytes of UTF-8 that are hashed at most. */
export const MAX_PASSWORD_BYTES = 1024;

export const LOGIN_PATTERN = /^[a-z_][a-z0-9_.@-]{0,63}$/;
const ONE_LINE = /^[^\p{Cc}\u2028\u2029]*$/u;

export const accountSchema = Joi.object<AccountSettings>({
  login: Joi.string().trim().lowercase().pattern(LOGIN_PATTERN).required(),
  name: Joi.string().trim().pattern(ONE_LINE).max(100).allow('').default(''),
  email: Joi.string()
    .trim()
    .pattern(ONE_LINE)
    .email({ tlds: false })
    .max(254)
    .allow('')
    .default(''),
  kind: Joi.string().valid('own', 'system').required(),
  level: Joi.string()
    .valid(...MAIL_LEVELS)
    .required(),
  manages: Joi.boolean().default(false),
});

/** The roles a level stands for. */
export function rolesFor(level: MailLevel, manages: boolean): readonly ConsoleRole[] {
  const levels = MAIL_LEVELS.slice(1, MAIL_LEVELS.indexOf(level) + 1);
  const roles: ConsoleRole[] = levels.map((name): ConsoleRole => `mail.${name}` as Role);
  return manages ? [...roles, 'console.admin'] : roles;
}

/** The level that a set of roles amounts to. */
export function levelOf(roles: readonly ConsoleRole[]): MailLevel {
  const highest = [...MAIL_LEVELS]
    .reverse()
    .find((level) => roles.includes(`mail.${level}` as Role));
  return highest ?? 'none';
}
