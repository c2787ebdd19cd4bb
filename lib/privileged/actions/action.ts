/** What an action of the helper is: a name in a fixed list, a schema for its parameters, a function. */
import type Joi from 'joi';
import type { HelperProgress } from '../../contract.js';
import type { SectionRegistry } from '../../sections/registry.js';
import type { Paths } from '../paths.js';

export interface ActionContext {
  readonly paths: Paths;
  /** The sections, loaded when first asked for: most actions do without them. */
  readonly registry: () => Promise<SectionRegistry>;
  /** Ends when the web side cancels or goes away. */
  readonly signal: AbortSignal;
  readonly progress: (progress: HelperProgress) => void;
  /**
   * Puts on record that from now on something changes; a second call does nothing. Throws when the disk takes no record:
   * then nothing may be changed.
   */
  readonly changing: () => Promise<void>;
  /** Resolves when the other side has taken what was said, for actions that stream much. */
  readonly taken: () => Promise<void>;
  /** Further items of a request that streams. */
  readonly items: AsyncIterable<unknown>;
}

/** What of Joi is used here, for actions that a page waits for: to load Joi takes a third of a short call. */
export interface PlainSchema<Params> {
  validate(
    params: unknown,
    options?: unknown,
  ):
    | { readonly value: Params; readonly error?: undefined }
    | { readonly value?: undefined; readonly error: PlainError };
}

interface PlainError {
  readonly details: readonly { readonly path: readonly string[] }[];
}

export interface Action<Params = never, Result = unknown> {
  readonly params: Joi.ObjectSchema<Params> | PlainSchema<Params>;
  /** Milliseconds after which the helper gives up on itself. */
  readonly timeoutMs: number;
  /** It changes nothing and tells nothing private, so that doing it stands in no log. */
  readonly quiet?: true;
  /**
   * Whether it belongs among the changes on record (`audit.ts`). `never`: it only looks. `told`: when it has called
   * `changing()`. By default whatever ends well does.
   */
  readonly changes?: 'never' | 'told';
  /** What of the parameters may stand in the audit log; nothing by default. */
  redact?(params: Params): unknown;
  run(params: Params, context: ActionContext): Promise<Result>;
}

/** Keeps the types of parameters and result together. */
export function defineAction<Params, Result>(
  action: Action<Params, Result>,
): Action<Params, Result> {
  return action;
}

/** Takes exactly these parameters, each of which its test accepts. */
export function plainParams<Params extends object>(tests: {
  readonly [Name in keyof Params]: (value: unknown) => boolean;
}): PlainSchema<Params> {
  const names = Object.keys(tests) as (keyof Params & string)[];
  return {
    validate(params) {
      const given = params as Readonly<Record<string, unknown>>;
      const wrong =
        Object.keys(given).find((name) => !Object.hasOwn(tests, name)) ??
        names.find((name) => !tests[name](given[name]));
      return wrong === undefined
        ? { value: given as Params }
        : { error: { details: [{ path: [wrong] }] } };
    },
  };
}
