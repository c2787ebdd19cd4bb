/** From settings to what should change: pure once the present configuration is read. */
import { HelperError } from '../../errors.js';
import { inSlotOrder, layoutOf } from '../../sections/lists.js';
import type { SectionRegistry } from '../../sections/registry.js';
import type {
  AllSettings,
  InnerPort,
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
import type { HelperState } from '../state.js';

/** Longest value of one parameter, in bytes: it has to fit into one argument of `postconf` (execve(2)). */
export const MAX_VALUE_BYTES = 120_000;

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
  /** What stands where after the change, for every name the touched sections own and have a say in. */
  readonly baseline: ReadonlyMap<string, string | null>;
  /** Everything the helper will have applied afterwards. */
  readonly settings: AllSettings;
  /** Sections whose output is touched, with their settings before. */
  readonly touched: readonly { readonly section: Section; readonly before: unknown }[];
}

/** Settings are checked with the section's own schema, whatever the web side did. Throws at stage `validate`. */
export function checkSettings(section: Section, settings: unknown): unknown {
  const checked = section.schema.validate(settings, { convert: false, abortEarly: true });
  if (checked.error) {
    throw new HelperError({
      stage: 'validate',
      key: 'helper.validate.settings',
      values: { section: section.id, field: checked.error.details[0]?.path.join('.') ?? '' },
      detail: '',
      restored: true,
    });
  }
  return checked.value;
}

export function sectionOrRefuse(registry: SectionRegistry, id: string): Section {
  const section = registry.get(id);
  if (section) return section;
  throw new HelperError({
    stage: 'validate',
    key: 'helper.validate.section',
    values: { section: id.slice(0, 64) },
    detail: '',
    restored: true,
  });
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
  overwrite: ReadonlySet<string> = new Set(),
): Plan {
  const touched = Object.keys(requested).map((id) => {
    const section = sectionOrRefuse(registry, id);
    return { section, before: state.sections[id] ?? section.read(view).settings };
  });
  const settings: Record<string, unknown> = { ...state.sections };
  for (const { section } of touched) {
    settings[section.id] = checkSettings(section, requested[section.id]);
  }
  const settingsBefore: Record<string, unknown> = { ...settings, ...state.sections };
  for (const { section, before } of touched) settingsBefore[section.id] = before;

  const parameters = new Map<string, string | null>();
  const baseline = new Map<string, string | null>();
  const lists = new Map<string, readonly string[]>();
  const master = new Map<string, string | null>();
  const options = new Map<string, string | null>();
  const tables = new Map<string, TableContent | null>();
  const files = new Map<string, OwnFile | null>();
  const listNames = new Set<string>();

  for (const { section } of touched) {
    const now = render(section, settings, view);
    const old = render(section, settingsBefore, view);
    for (const [name, value] of Object.entries(now.parameters ?? {})) {
      refuseUnsafe(name, value);
      const present = presentValue(view, name);
      const same = old.parameters?.[name] === value && !overwrite.has(name);
      const after = same ? present : value;
      baseline.set(name, after);
      if (after !== present) parameters.set(name, after);
    }
    for (const list of Object.keys({ ...now.lists, ...old.lists })) listNames.add(list);
    for (const [name, service] of Object.entries(now.master ?? {})) {
      const line = service === null ? null : formatMasterService(name, service);
      if (line !== view.masterService(name)) master.set(name, line);
    }
    for (const [name, value] of Object.entries(flatOptions(now))) {
      refuseUnsafe(name, value);
      const same = flatOptions(old)[name] === value && !overwrite.has(name);
      if (!same && value !== presentOption(view, name)) options.set(name, value);
    }
    for (const name of Object.keys(old.tables ?? {})) tables.set(name, null);
    for (const [name, table] of Object.entries(now.tables ?? {})) tables.set(name, table);
    for (const name of Object.keys(state.written.files)) {
      if (isBelow(section.owns.folders, name)) files.set(name, null);
    }
    for (const [name, file] of Object.entries(now.files ?? {})) files.set(name, file);
  }
  for (const list of listNames) {
    const now = listEntries(registry, list, settings, view);
    const rendered = listEntries(registry, list, settingsBefore, view);
    const present = splitList(view.parameter(list));
    const merged =
      sameElements(now, rendered) && !overwrite.has(list)
        ? { elements: present, changed: false }
        : mergeList(present, state.written.lists[list] ?? rendered, now, layoutOf(list));
    const value = merged.changed ? merged.elements.join(', ') : presentValue(view, list);
    refuseUnsafe(list, value);
    baseline.set(list, value);
    lists.set(list, ownElements(merged.elements, now, layoutOf(list)));
    if (merged.changed) parameters.set(list, value);
  }
  return { parameters, lists, master, options, tables, files, baseline, settings, touched };
}

function flatOptions({ masterOptions }: SectionOutput): Record<string, string | null> {
  return Object.fromEntries(
    Object.entries(masterOptions ?? {}).flatMap(([service, options]) =>
      Object.entries(options).map(([option, value]) => [`${service}/${option}`, value]),
    ),
  );
}

/** The value of an option, by `name/type/option`; null when the service does not set it. */
export function presentOption(view: ConfigView, name: string): string | null {
  const slash = name.lastIndexOf('/');
  const line = view.masterService(name.slice(0, slash));
  return line === null ? null : masterOption(line, name.slice(slash + 1));
}

/** Entries of every section that speaks for this list, in slot order. */
function listEntries(
  registry: SectionRegistry,
  list: string,
  settings: AllSettings,
  view: ConfigView,
): readonly string[] {
  const entries: SlotEntry[] = registry.all
    .filter((section) => section.owns.lists.includes(list) && section.id in settings)
    .flatMap((section) => render(section, settings, view).lists?.[list] ?? []);
  return inSlotOrder(list, entries);
}

function render(section: Section, settings: AllSettings, view: ConfigView): SectionOutput {
  try {
    const output = section.render(settings[section.id], view, settings);
    refuseForeign(section, output, view);
    return output;
  } catch (cause) {
    if (cause instanceof HelperError) throw cause;
    throw new HelperError(
      {
        stage: 'render',
        key: 'helper.render.failed',
        values: { section: section.id },
        detail: cause instanceof RangeError ? cause.message : '',
        restored: true,
      },
      { cause },
    );
  }
}

/** A section that speaks of what it does not own is our bug; it must never reach the disk. */
function refuseForeign(section: Section, output: SectionOutput, view: ConfigView): void {
  const { owns } = section;
  const claims: [Iterable<string>, readonly string[]][] = [
    [Object.keys(output.parameters ?? {}), owns.parameters],
    [Object.keys(output.lists ?? {}), owns.lists],
    [Object.keys(output.master ?? {}), ownedServices(section, view)],
    [Object.keys(output.tables ?? {}), owns.tables],
    [Object.keys(output.files ?? {}), owns.files],
    [Object.keys(flatOptions(output)), owns.options ?? []],
  ];
  for (const [names, allowed] of claims) {
    for (const name of names) {
      if (!allowed.includes(name) && !isBelow(owns.folders, name)) {
        throw new Error(`${section.id} does not own ${name}`);
      }
    }
  }
}

/** The `master.cf` services of a section; `{amavisIn}` in a name stands for that inner port of this instance. */
export function ownedServices(
  section: Section,
  system: Pick<ConfigView, 'port'>,
): readonly string[] {
  return section.owns.master.map((name) =>
    name.replace(/\{(\w+)\}/, (_, port) => String(system.port(port as InnerPort))),
  );
}

/** One plain file name below one of the folders, nothing deeper and nothing hidden. */
export function isBelow(folders: readonly string[] | undefined, name: string): boolean {
  return (folders ?? []).some(
    (folder) =>
      name.startsWith(`${folder}/`) && /^[A-Za-z0-9][\w.-]*$/.test(name.slice(folder.length + 1)),
  );
}

/** The last fence: nothing that could add a line or be read as another value reaches `postconf`. */
function refuseUnsafe(name: string, value: string | null): void {
  if (value === null) return;
  const unsafe = /[\p{Cc}\p{Cs}\u2028\u2029]/u;
  if (unsafe.test(value) || value !== value.trim()) {
    throw refused('helper.render.unsafe', { parameter: name });
  }
  const bytes = Buffer.byteLength(value);
  if (bytes > MAX_VALUE_BYTES) {
    throw refused('helper.render.long', { parameter: name, bytes, limit: MAX_VALUE_BYTES });
  }
}

function refused(key: string, values: Record<string, string | number>): HelperError {
  return new HelperError({ stage: 'render', key, values, detail: '', restored: true });
}

export function presentValue(view: ConfigView, name: string): string | null {
  return view.set.get(name) ?? null;
}

export type { MasterService };
