/** An account's form: what was typed, and what it means or what is wrong with it. */
import type Joi from 'joi';
import type { Problem } from '../../errors.js';
import { text } from '../web/field.js';
import { accountSchema, levelOf, type Account, type AccountSettings } from './schema.js';

/** What the form shows, as typed; passwords are never shown again. */
export interface AccountForm {
  readonly login: string;
  readonly name: string;
  readonly email: string;
  readonly kind: string;
  readonly level: string;
  readonly manages: boolean;
}

export const EMPTY_FORM: AccountForm = {
  login: '',
  name: '',
  email: '',
  kind: 'own',
  level: 'admin',
  manages: false,
};

export function formOf(account: Account): AccountForm {
  return {
    login: account.login,
    name: account.name,
    email: account.email ?? '',
    kind: account.kind,
    level: levelOf(account.roles),
    manages: account.roles.includes('console.admin'),
  };
}

export function typedForm(body: unknown): AccountForm {
  return {
    login: text(body, 'login'),
    name: text(body, 'name'),
    email: text(body, 'email'),
    kind: text(body, 'kind'),
    level: text(body, 'level'),
    manages: text(body, 'manages') === 'yes',
  };
}

/** The checked settings, or one problem for each field that is wrong. */
export function checkForm(
  form: AccountForm,
): { readonly settings: AccountSettings } | { readonly problems: readonly Problem[] } {
  const checked = accountSchema.validate(form, { abortEarly: false });
  if (checked.error === undefined) return { settings: checked.value };
  const fields = new Set(checked.error.details.map(fieldOf));
  return {
    problems: [...fields].map((field) => ({
      key: `console.accounts.problem.${field}`,
      values: {},
      field,
    })),
  };
}

function fieldOf(detail: Joi.ValidationErrorItem): string {
  return String(detail.path[0]);
}
