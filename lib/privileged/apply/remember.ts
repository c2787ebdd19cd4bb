/** The state after a change: what the helper will know of its own work at the next one. */
import type { ConfigView } from '../postfix/config-view.js';
import type { AppliedRecord, ApplyParams } from '../protocol.js';
import { digestOf, type HelperState, type Written } from '../state.js';
import { presentValue, type Plan } from './plan.js';

export interface Found {
  /** Of files that were found as we wrote them. */
  readonly stamps?: Written['stamps'];
  /** What names the rows of sections from now on. */
  readonly rows?: HelperState['rows'];
}

/** The state once `plan` is in place; `view` is the configuration that then holds. */
export function stateAfter(
  state: HelperState,
  plan: Plan,
  view: ConfigView,
  { stamps: seen = {}, rows = {} }: Found = {},
): HelperState {
  const parameters: Record<string, string | null> = { ...state.written.parameters };
  for (const name of plan.baseline.keys()) {
    if (!plan.lists.has(name)) parameters[name] = presentValue(view, name);
  }
  const master: Record<string, string | null> = { ...state.written.master };
  for (const name of plan.master.keys()) master[name] = view.masterService(name);
  for (const name of plan.taken) if (name in master) master[name] = view.masterService(name);
  const files: Record<string, string> = { ...state.written.files };
  const recipes: Record<string, string> = { ...state.written.recipes };
  const stamps: Record<string, string> = { ...state.written.stamps, ...seen };
  for (const name of plan.outdated) Reflect.deleteProperty(recipes, name);
  for (const [name, file] of plan.files) {
    if (plan.sameFiles.has(name)) continue;
    Reflect.deleteProperty(files, name);
    Reflect.deleteProperty(recipes, name);
    Reflect.deleteProperty(stamps, name);
    if (file) files[name] = digestOf(file.content);
    if (file?.recipe !== undefined) recipes[name] = digestOf(file.recipe);
  }
  const directives: Record<string, string | null> = { ...state.written.directives };
  for (const [key, value] of plan.directives) directives[key] = value;
  for (const key of Object.keys(directives)) {
    // Where no section has a say any more, what stands there is the administrator's own.
    if (!plan.originals.has(key)) Reflect.deleteProperty(directives, key);
  }
  const written: Written = {
    parameters,
    lists: { ...state.written.lists, ...Object.fromEntries(plan.lists) },
    master,
    files,
    recipes,
    stamps,
    directives,
  };
  const originals = Object.fromEntries(plan.originals);
  return {
    ...state,
    sections: plan.settings,
    written,
    originals,
    rows: { ...state.rows, ...rows },
    makings: { ...state.makings, ...Object.fromEntries(plan.makings) },
  };
}

export function recordOf(
  params: ApplyParams,
  contents: Readonly<Record<string, string>>,
  outcome: Pick<AppliedRecord, 'status' | 'failure' | 'result'>,
): AppliedRecord {
  const { databaseId, change } = params;
  return {
    databaseId,
    change,
    digest: digestOfSettings(params, contents),
    at: new Date().toISOString(),
    ...outcome,
  };
}

/** The same for the same settings and contents, in whatever order keys come: a database keeps none. */
export function digestOfSettings(
  { sections, rows }: Pick<ApplyParams, 'sections' | 'rows'>,
  contents: Readonly<Record<string, string>>,
): string {
  return digestOf(JSON.stringify({ sections, rows, contents }, sortKeys));
}

function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
