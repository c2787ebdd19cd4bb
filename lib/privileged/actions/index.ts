/** Everything the web side can ask for. There is no other way in. */
import { applyAction } from './apply.js';
import { describeAction } from './describe.js';
import { driftAction } from './drift.js';
import { readAction } from './read.js';
import { recordAction } from './record.js';
import type { Action } from './action.js';

export const actions = {
  apply: applyAction,
  describe: describeAction,
  drift: driftAction,
  read: readAction,
  record: recordAction,
};

export type Actions = typeof actions;
export type ActionName = keyof Actions;
export type ParamsOf<Name extends ActionName> =
  Actions[Name] extends Action<infer Params, unknown> ? Params : never;
export type ResultOf<Name extends ActionName> = Awaited<ReturnType<Actions[Name]['run']>>;
