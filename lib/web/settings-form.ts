/**
 * How the form of a section stands for its settings, both ways. Each such feature gives its own.
 */
import type Joi from 'joi';
import { UserError, type Problem } from '../errors.js';
import type { Current, Wanted } from '../settings/service.js';
import type { Words } from '../words.js';
import { oneText, readFields, type FieldValues } from './fields.js';
import { checkSettings, type ProblemWords } from './problems.js';

export interface SettingsForm<Settings> {
  /** Names the texts: `base` finds `base.field.<name>`, `base.problem.<name>`. */
  readonly feature: string;
  /** The settings in the order of the form. */
  readonly fields: readonly (keyof Settings & string)[];
  /** Fields that are no settings but help to fill them. */
  readonly aids: readonly string[];
  readonly schema: Joi.ObjectSchema<Settings>;
  readonly toForm: (settings: Settings) => FieldValues;
  /** Settings as typed, to be checked; a field that was not sent keeps what it has. */
  readonly fromForm: (typed: FieldValues, current: Settings) => unknown;
  readonly words: (field: keyof Settings & string, settings: Settings) => Words;
  /** What may be saved but should be known. */
  readonly warnings: (settings: Settings) => readonly Problem[];
}

/** What was typed, with the present settings where nothing was sent. */
export function typedValues<Settings>(
  form: SettingsForm<Settings>,
  body: unknown,
  current: Settings,
): FieldValues {
  return { ...form.toForm(current), ...readFields(body, namesOf(form)).values };
}

/** The settings a body asks for. Throws `UserError` with everything that is wrong. */
export function wantedSettings<Settings>(
  form: SettingsForm<Settings>,
  body: unknown,
  { settings }: Current<Settings>,
  actor: string,
  words: ProblemWords,
): Wanted<Settings> {
  const { values, problems } = readFields(body, namesOf(form));
  const version = Number(oneText(body, 'version') || NaN);
  const whole: Problem[] = isComplete(version, oneText(body, 'intent'))
    ? []
    : [{ key: 'problem.incomplete', values: {} }];
  const named = new Set(problems.map(({ field }) => field));
  const checked = checkSettings(form.schema, form.fromForm(values, settings), form.feature, words);
  const others = (checked.problems ?? []).filter(({ field }) => !named.has(field));
  const all = [...whole, ...problems, ...others];
  if (all.length > 0 || checked.problems !== null) throw new UserError(all);
  return { settings: checked.value, version, actor };
}

/** Doubts about values that are right as such; none while something is wrong. */
export function warningsFor<Settings>(
  form: SettingsForm<Settings>,
  values: FieldValues,
  current: Settings,
): readonly Problem[] {
  const checked: Joi.ValidationResult<Settings> = form.schema.validate(
    form.fromForm(values, current),
    { convert: false },
  );
  return checked.error === undefined ? form.warnings(checked.value) : [];
}

function namesOf<Settings>(form: SettingsForm<Settings>): readonly string[] {
  return [...form.fields, ...form.aids];
}

function isComplete(version: number, intent: string): boolean {
  return Number.isSafeInteger(version) && version >= 0 && ['', 'save', 'preview'].includes(intent);
}
