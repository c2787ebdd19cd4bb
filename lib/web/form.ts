/**
 * A form as its view shows it: values, and what is wrong with them in words.
 */
import type { Problem } from '../errors.js';
import type { Translator } from '../i18n.js';
import type { FieldValues } from './fields.js';

export interface FormView {
  /** The value of a field, '' when there is none. */
  value(name: string): string;
  /** What is wrong with a field, '' when nothing is. */
  error(name: string): string;
  /** What somebody should know about a field's value before saving it all the same, '' when nothing. */
  warning(name: string): string;
  /** For the summary: in the order of the fields. `anchor` is the id of the control, '' for the form as a whole. */
  readonly errors: readonly {
    readonly anchor: string;
    readonly label: string;
    readonly text: string;
  }[];
}

export interface FormParts {
  readonly t: Translator;
  /** Prefix of the labels: `base` finds `base.field.<name>`. */
  readonly feature: string;
  /** The fields in the order in which the form shows them. */
  readonly fields: readonly string[];
  readonly values: FieldValues;
  readonly problems?: readonly Problem[];
  readonly warnings?: readonly Problem[];
}

export function viewForm(parts: FormParts): FormView {
  const { t, feature, fields, values } = parts;
  const wrong = firstByField(t, parts.problems ?? []);
  const doubtful = firstByField(t, parts.warnings ?? []);
  const order = [...fields, ...[...wrong.keys()].filter((name) => !fields.includes(name))];
  return {
    value: (name) => (Object.hasOwn(values, name) ? (values[name] ?? '') : ''),
    error: (name) => wrong.get(name) ?? '',
    warning: (name) => doubtful.get(name) ?? '',
    errors: order.flatMap((name) => {
      const text = wrong.get(name);
      if (text === undefined) return [];
      return fields.includes(name)
        ? [{ anchor: name, label: t(`${feature}.field.${name}`), text }]
        : [{ anchor: '', label: '', text }];
    }),
  };
}

function firstByField(t: Translator, problems: readonly Problem[]): ReadonlyMap<string, string> {
  const words = new Map<string, string>();
  for (const { key, values, field = '' } of problems) {
    if (!words.has(field)) words.set(field, t(key, values));
  }
  return words;
}
