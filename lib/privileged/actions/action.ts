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
  /** Resolves when the other side has taken what was said, for actions that stream much. */
  readonly taken: () => Promise<void>;
  /** Further items of a request that streams. */
  readonly items: AsyncIterable<unknown>;
}

export interface Action<Params = never, Result = unknown> {
  readonly params: Joi.ObjectSchema<Params>;
  /** Milliseconds after which the helper gives up on itself. */
  readonly timeoutMs: number;
  /** It changes nothing and tells nothing private, so that doing it stands in no log. */
  readonly quiet?: true;
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
