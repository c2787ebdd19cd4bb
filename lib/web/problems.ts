/**
 * From what Joi found wrong to problems that a page can put into words.
 */
import type Joi from 'joi';
import { HelperError, UserError, type MessageValues, type Problem } from '../errors.js';
import { quote } from './fields.js';

/** The most specific text there is for a fault in a field. */
export interface ProblemWords {
  /** Whether there is a text with this key. */
  has(key: string): boolean;
}

export type Checked<T> =
  { readonly value: T; readonly problems: null } | { readonly problems: readonly Problem[] };

/**
 * Checks candidate settings, converting nothing. The most specific text is taken for each fault: `<feature>.problem.<field>`
 * with `.empty` (when nothing was typed), with Joi's type of the fault, or alone; else `problem.<type>`, else
 * `problem.any`. A text may use `{value}`, what was typed, and `{limit}`.
 */
export function checkSettings<T>(
  schema: Joi.ObjectSchema<T>,
  candidate: unknown,
  feature: string,
  words: ProblemWords,
): Checked<T> {
  const checked: Joi.ValidationResult<T> = schema.validate(candidate, {
    abortEarly: false,
    convert: false,
  });
  if (checked.error === undefined) return { value: checked.value, problems: null };
  const problems = new Map<string, Problem>();
  for (const detail of checked.error.details) {
    const field = String(detail.path[0] ?? '');
    if (!problems.has(field)) problems.set(field, toProblem(detail, field, feature, words));
  }
  return { problems: [...problems.values()] };
}

function toProblem(
  detail: Joi.ValidationErrorItem,
  field: string,
  feature: string,
  words: ProblemWords,
): Problem {
  const typed = typedText(detail.context?.value);
  const candidates = [
    ...(typed === '' ? [`${feature}.problem.${field}.empty`] : []),
    `${feature}.problem.${field}.${detail.type}`,
    `${feature}.problem.${field}`,
    `problem.${detail.type}`,
  ];
  const values: MessageValues = {
    value: quote(typed),
    limit: typeof detail.context?.['limit'] === 'number' ? detail.context['limit'] : 0,
  };
  return { key: candidates.find((key) => words.has(key)) ?? 'problem.any', values, field };
}

function typedText(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/**
 * What a person can put right at a field: what a service says of it, or a section on the privileged side (`Section.refuses`).
 * Null for any other error.
 */
export function problemsAtFields(
  error: unknown,
  fields: readonly string[],
  words: ProblemWords,
): readonly Problem[] | null {
  if (error instanceof UserError) return error.problems;
  if (!(error instanceof HelperError) || error.stage !== 'validate') return null;
  const field = String(error.values['field'] ?? '');
  const meant = fields.includes(field) && words.has(error.key) && !error.key.startsWith('helper.');
  return meant ? [{ key: error.key, values: {}, field }] : null;
}
