/** From settings to what should change: pure once the present configuration is read. */
import { inSlotOrder, layoutOf } from '../../sections/lists.js';
import type { SectionRegistry } from '../../sections/registry.js';
import type {
  AllSettings,
  MasterService,
  OwnFile,
  Section,
  SectionOutput,
  SlotEntry,
  TableContent,
} from '../../sections/section.js';
import type { ConfigView } from '../postfix/config-view.js';
import { mergeList, ownElements, sameElements, splitList } from '../postfix/list-value.js';
import { formatMasterService, masterOption } from '../postfix/master.js';
import { PROGRAM } from '../program.js';
import { digestOf, type HelperState, type Making } from '../state.js';
import { directivesOf } from './directives.js';
import { NOTHING_DECIDED, undecided, type Decided } from './decided.js';
import { isOwnWork } from './requested.js';
import {
  checkSettings,
  isBelow,
  optionsOf,
  refuseStep,
  refuseUnsafe,
  render,
  renderWithoutFiles,
  type IsKnownFile,
  sectionOrRefuse,
} from './render.js';

/** What need not be looked at again. */
export interface Trust {
  /** Sections whose settings are known to hold. */
  readonly checked: ReadonlySet<string>;
  /** Who we are: what we made ourselves we would make again. */
  readonly program: string | null;
}

export interface Plan {
  /** Parameters to write; null removes. Only those that differ from what is there. */
  readonly parameters: ReadonlyMap<string, string | null>;
  /** Our elements per list after this change. */
  readonly lists: ReadonlyMap<string, readonly string[]>;
  /** Whole `master.cf` lines to write; null removes. Only those that differ. */
  readonly master: ReadonlyMap<string, string | null>;
  /** `-o` options on services that are not ours, by `name/type/option`; null removes. Only those that differ. */
  readonly options: ReadonlyMap<string, string | null>;
  /** Null removes the table. */
  readonly tables: ReadonlyMap<string, TableContent | null>;
  readonly files: ReadonlyMap<string, OwnFile | null>;
  /** Those of the files that are made by the recipe they were made by before: nothing of them is opened or read. */
  readonly sameFiles: ReadonlySet<string>;
  /** Files that are left as they are though the settings say something else of them by now. */
  readonly outdated: ReadonlySet<string>;
  /** Lines in files that are not ours, by path and name in one; null removes. Only those that differ. */
  readonly directives: ReadonlyMap<string, string | null>;
  /** What stands where after the change, for every name the touched sections own and have a say in. */
  readonly baseline: ReadonlyMap<string, string | null>;
  /** Hand edits that the settings say too from now on: they count as written by us. */
  readonly taken: ReadonlySet<string>;
  /** What stood where before a section began to speak of it: it is put back when the section no longer does. */
  readonly originals: ReadonlyMap<string, string | null>;
  /** Everything the helper will have applied afterwards. */
  readonly settings: AllSettings;
  /** By section whose output is touched: how it was made. */
  readonly makings: ReadonlyMap<string, Making>;
  /** Sections whose output is touched, with their settings before. */
  readonly touched: readonly { readonly section: Section; readonly before: unknown }[];
}

/**
 * What would change. A parameter is touched only when the new settings say something else about it than the old ones
 * did (or, at the first save, than the present configuration does), so an unchanged form changes no byte.
 */
export function makePlan(
  registry: SectionRegistry,
  requested: Readonly<Record<string, unknown>>,
  state: HelperState,
  view: ConfigView,
  decided: Decided = NOTHING_DECIDED,
  { checked, program }: Trust = { checked: new Set(), program: PROGRAM },
): Plan {
  const touched = Object.keys(requested).map((id) => {
    const section = sectionOrRefuse(registry, id);
    return { section, before: settingsBefore(section, state, view, program) };
  });
  const settings: Record<string, unknown> = { ...state.sections };
  for (const { section } of touched) {
    const wanted = requested[section.id];
    settings[section.id] = checked.has(section.id) ? wanted : checkSettings(section, wanted);
  }
  const old: Record<string, unknown> = { ...settings };
  for (const { section, before } of touched) {
    refuseStep(section, before, settings[section.id], view);
    old[section.id] = before;
  }
  touched.push(...followersOf(registry, touched, settings));

  const draft = new Draft(state, view, decided, program);
  const lists = new Set<string>();
  for (const { section } of touched) {
    const before = renderWithoutFiles(section, old, view);
    const isSame = draft.isSame(section, before);
    const outputs = { now: render(section, settings, view, isSame), old: before };
    draft.takeParameters(outputs);
    draft.takeServices(outputs);
    draft.takeFiles(section, outputs, isSame);
    draft.takeDirectives(outputs);
    for (const list of Object.keys({ ...outputs.now.lists, ...outputs.old.lists })) lists.add(list);
  }
  for (const list of lists) {
    const entries = (all: AllSettings) => listEntries(registry, list, all, view);
    const claimed = splitList(view.parameter(list)).filter(claimOf(registry, list));
    draft.takeList(list, { now: entries(settings), old: entries(old) }, claimed);
  }
  return { ...draft, settings, touched };
}

/** Sections that were applied before and depend on one that changes: their settings stay, what follows from them may not. */
function followersOf(
  registry: SectionRegistry,
  touched: Plan['touched'],
  settings: AllSettings,
): Plan['touched'] {
  const ids = new Set(touched.map(({ section }) => section.id));
  return registry.all
    .filter(({ id, follows = [] }) => !ids.has(id) && follows.some((one) => ids.has(one)))
    .filter(({ id, schema }) => id in settings && !schema.validate(settings[id]).error)
    .map((section) => ({ section, before: settings[section.id] }));
}

/** Settings of an older version of us that no longer hold are read from the configuration, as at the first save. */
function settingsBefore(
  section: Section,
  state: HelperState,
  view: ConfigView,
  program: string | null,
): unknown {
  const known = state.sections[section.id];
  const holds =
    known !== undefined &&
    (isOwnWork(state, section.id, program) ||
      !section.schema.validate(known, { convert: false }).error);
  return holds ? known : section.read(view).settings;
}

function serviceLine(name: string, service: MasterService | null): string | null {
  return service && formatMasterService(name, service);
}

interface Both<T> {
  readonly now: T;
  readonly old: T;
}

/** The plan while it is made. */
class Draft implements Omit<Plan, 'settings' | 'touched'> {
  readonly parameters = new Map<string, string | null>();
  readonly baseline = new Map<string, string | null>();
  readonly originals: Map<string, string | null>;
  readonly lists = new Map<string, readonly string[]>();
  readonly master = new Map<string, string | null>();
  readonly options = new Map<string, string | null>();
  readonly tables = new Map<string, TableContent | null>();
  readonly files = new Map<string, OwnFile | null>();
  readonly sameFiles = new Set<string>();
  readonly outdated = new Set<string>();
  readonly directives = new Map<string, string | null>();
  readonly makings = new Map<string, Making>();
  readonly taken: ReadonlySet<string>;
  readonly #state: HelperState;
  readonly #view: ConfigView;
  readonly #decided: Decided;
  readonly #program: string | null;

  constructor(state: HelperState, view: ConfigView, decided: Decided, program: string | null) {
    this.#state = state;
    this.#view = view;
    this.#decided = decided;
    this.#program = program;
    this.taken = decided.take;
    this.originals = new Map(Object.entries(state.originals));
  }

  takeParameters({ now, old }: Both<SectionOutput>): void {
    for (const [name, value] of Object.entries(now.parameters ?? {})) {
      refuseUnsafe(name, value);
      const present = presentValue(this.#view, name);
      if (this.#isLeft(name, old.parameters?.[name] === value)) continue;
      const same = old.parameters?.[name] === value && !this.#decided.overwrite.has(name);
      const after = same || this.taken.has(name) ? present : value;
      this.#note(name, present, after);
      if (old.parameters?.[name] === undefined) this.originals.set(name, present);
    }
    for (const name of Object.keys(old.parameters ?? {})) {
      const original = this.originals.get(name);
      if (now.parameters?.[name] !== undefined || original === undefined) continue;
      this.#isLeft(name, false);
      this.#note(name, presentValue(this.#view, name), original);
      this.originals.delete(name);
    }
  }

  #note(name: string, present: string | null, after: string | null): void {
    this.baseline.set(name, after);
    if (after !== present) this.parameters.set(name, after);
  }

  takeServices({ now, old }: Both<SectionOutput>): void {
    for (const [name, service] of Object.entries(now.master ?? {})) {
      const line = serviceLine(name, service);
      refuseUnsafe(name, line);
      const before = old.master?.[name];
      const said = before !== undefined && serviceLine(name, before) === line;
      if (this.#isLeft(name, said) || this.taken.has(name)) continue;
      const same = said && !this.#decided.overwrite.has(name);
      if (!same && line !== this.#view.masterService(name)) this.master.set(name, line);
    }
    const before = optionsOf(old);
    for (const [name, value] of Object.entries(optionsOf(now))) {
      refuseUnsafe(name, value);
      const same = before[name] === value && !this.#decided.overwrite.has(name);
      if (!same && value !== presentOption(this.#view, name)) this.options.set(name, value);
    }
  }

  takeFiles(section: Section, { now, old }: Both<SectionOutput>, isSame: IsKnownFile): void {
    this.makings.set(section.id, { program: this.#program, around: now.around });
    for (const name of Object.keys(old.tables ?? {})) this.tables.set(name, null);
    for (const [name, table] of Object.entries(now.tables ?? {})) this.tables.set(name, table);
    for (const name of Object.keys(this.#state.written.files)) {
      if (isBelow(section.owns.folders, name)) this.files.set(name, null);
    }
    for (const [name, file] of Object.entries(now.files ?? {})) {
      this.files.set(name, file);
      if (isSame(name, file, now)) this.sameFiles.add(name);
    }
    for (const name of this.#decided.leave) {
      if (this.files.delete(name) && !this.sameFiles.has(name)) this.outdated.add(name);
    }
  }

  /**
   * Whether a file of the section stands there as its settings make it, or as somebody agreed to leave it: where we made it
   * ourselves out of the same, or by the same recipe.
   */
  isSame(section: Section, before: SectionOutput): IsKnownFile {
    const { files, recipes = {} } = this.#state.written;
    const own = isOwnWork(this.#state, section.id, this.#program);
    const around = this.#state.makings?.[section.id]?.around;
    const known = new Map<string, boolean>();
    const look: IsKnownFile = (name, file, now) => {
      if (this.#decided.overwrite.has(name)) return false;
      if (!Object.hasOwn(files, name) || !Object.hasOwn(recipes, name)) return false;
      const made = own && around === now.around ? before.files?.[name]?.madeOf : undefined;
      if (made !== undefined && made === file?.madeOf) return true;
      return file?.recipe !== undefined && recipes[name] === digestOf(file.recipe);
    };
    return (name, file, now) => {
      const same = known.get(name) ?? look(name, file, now);
      known.set(name, same);
      return same;
    };
  }

  takeDirectives({ now, old }: Both<SectionOutput>): void {
    const [wanted, before] = [directivesOf(now), directivesOf(old)];
    const set = (key: string, value: string | null): void => {
      const present = this.#view.directive(key);
      if (value !== present) this.directives.set(key, value);
    };
    for (const [key, value] of wanted) {
      refuseUnsafe(key, value);
      if (!this.originals.has(key)) this.originals.set(key, this.#view.directive(key));
      const same = before.get(key) === value && !this.#decided.overwrite.has(key);
      if (!same && !this.taken.has(key) && !this.#decided.leave.has(key)) set(key, value);
    }
    for (const key of before.keys()) {
      const original = this.originals.get(key);
      if (wanted.has(key) || original === undefined) continue;
      set(key, original);
      this.originals.delete(key);
    }
  }

  /** Whether a hand edit stays as it is for now. Throws at stage `drift` when the change has to touch it. */
  #isLeft(name: string, unchanged: boolean): boolean {
    if (!this.#decided.leave.has(name)) return false;
    if (unchanged) return true;
    throw undecided([{ name, ours: null, theirs: presentValue(this.#view, name) }]);
  }

  /** `claimed` are hand-made elements of our kind: they go when somebody agreed to overwrite them. */
  takeList(list: string, { now, old }: Both<readonly string[]>, claimed: readonly string[]): void {
    const layout = layoutOf(list);
    const present = splitList(this.#view.parameter(list));
    const overwritten = this.#decided.overwrite.has(list);
    if (this.#isLeft(list, sameElements(now, old))) return;
    const before = [...(this.#state.written.lists[list] ?? old), ...(overwritten ? claimed : [])];
    const merged =
      (sameElements(now, old) && !overwritten) || this.taken.has(list)
        ? { elements: present, changed: false }
        : mergeList(present, before, now, layout);
    const value = merged.changed ? merged.elements.join(', ') : presentValue(this.#view, list);
    refuseUnsafe(list, value);
    this.baseline.set(list, value);
    this.lists.set(list, ownElements(merged.elements, now, layout));
    if (merged.changed) this.parameters.set(list, value);
  }
}

/** The value of an option, by `name/type/option`; null when the service does not set it. */
export function presentOption(view: ConfigView, name: string): string | null {
  const slash = name.lastIndexOf('/');
  const line = view.masterService(name.slice(0, slash));
  return line === null ? null : masterOption(line, name.slice(slash + 1));
}

/** Whether an element of the list is of the kind a section takes care of, whoever wrote it. */
export function claimOf(registry: SectionRegistry, list: string): (element: string) => boolean {
  const claiming = registry.all.filter((section) => section.owns.lists.includes(list));
  return (element) => claiming.some((section) => section.claims?.(list, element) ?? false);
}

/** Entries of every section that speaks for this list, in slot order. */
export function listEntries(
  registry: SectionRegistry,
  list: string,
  settings: AllSettings,
  view: ConfigView,
): readonly string[] {
  const entries: SlotEntry[] = registry.all
    .filter((section) => section.owns.lists.includes(list) && section.id in settings)
    .flatMap((section) => renderWithoutFiles(section, settings, view).lists?.[list] ?? []);
  return inSlotOrder(list, entries);
}

export function presentValue(view: ConfigView, name: string): string | null {
  return view.set.get(name) ?? null;
}
