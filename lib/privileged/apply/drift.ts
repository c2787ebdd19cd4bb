/** Hand edits: where what is on the machine is not what we wrote. */
import type { SectionRegistry } from '../../sections/registry.js';
import { layoutOf, SHARED_LISTS } from '../../sections/lists.js';
import { shownValue } from '../../sections/secret-values.js';
import type { AllSettings, Section } from '../../sections/section.js';
import { statusOf } from '../files.js';
import type { Paths } from '../paths.js';
import type { DriftEntry } from '../protocol.js';
import type { ConfigView } from '../postfix/config-view.js';
import { holdsAll, splitList } from '../postfix/list-value.js';
import { digestOf, type HelperState } from '../state.js';
import { alteredTables } from './contents-tables.js';
import { splitDirectiveKey } from './directives.js';
import { isOwnedBy, lookAtFiles, type LookedFiles } from './looked-files.js';
import { claimOf, listEntries, presentValue } from './plan.js';
import { ownedServices } from './render.js';
import { tableEdits } from './table-edits.js';
import { digestOfEdit } from './tables.js';

/**
 * All differences, or only those of the named sections. Files are looked at while the configuration is still on its way,
 * where that has not been done (`looked`).
 */
export async function findDrift(
  state: HelperState,
  present: ConfigView | Promise<ConfigView>,
  paths: Paths,
  registry: SectionRegistry,
  only?: ReadonlySet<string>,
  looked: LookedFiles = lookAtFiles(state, paths, registry, only),
): Promise<readonly DriftEntry[]> {
  const view = await present;
  const entries: DriftEntry[] = [];
  const report = (section: Section | undefined, entry: Omit<DriftEntry, 'section'>): void => {
    if (section && (only === undefined || only.has(section.id))) {
      const shown = (value: string | null) => value && shownValue(entry.name, value);
      const [ours, theirs] = [shown(entry.ours), shown(entry.theirs)];
      entries.push({ ...entry, ours, theirs, section: section.id });
    }
  };
  const owner = (owns: (section: Section) => boolean) => registry.all.find(owns);
  for (const [name, ours] of Object.entries(state.written.parameters)) {
    const theirs = presentValue(view, name);
    if (theirs === ours) continue;
    const digest = digestOf(String(theirs));
    report(registry.ownerOf(name), { kind: 'parameter', name, ours, theirs, digest });
  }
  for (const name of Object.keys(SHARED_LISTS)) {
    const sharing = registry.all.filter(({ owns }) => owns.lists.includes(name));
    if (only !== undefined && !sharing.some(({ id }) => only.has(id))) continue;
    const theirs = view.parameter(name);
    const present = splitList(theirs);
    const written = state.written.lists[name];
    const elements = written ?? understood(registry, name, view);
    const claims = claimOf(registry, name);
    const added = present.filter((element) => claims(element) && !elements.includes(element));
    const lost = written !== undefined && !holdsAll(present, elements, layoutOf(name));
    if (!lost && added.length === 0) continue;
    const ours = listAsWritten(view, name, elements, claims);
    for (const section of sharing) {
      report(section, { kind: 'list', name, ours, theirs, digest: digestOf(theirs) });
    }
  }
  for (const [name, ours] of Object.entries(state.written.master)) {
    const theirs = view.masterService(name);
    if (theirs === ours) continue;
    const section = owner((one) => ownedServices(one, view).includes(name));
    const digest = digestOf(String(theirs));
    report(section, { kind: 'master', name, ours, theirs, digest });
  }
  for (const { name, ours, theirs, digest } of looked.edited) {
    const section = owner((one) => isOwnedBy(one, name));
    const written = section ? writtenFile(section, name, ours, state, view) : null;
    const isShown =
      written !== null && (theirs === null || (await isPublic(`${paths.root}${name}`)));
    const shown = isShown ? { ours: written, theirs } : { ours: null, theirs: null };
    report(section, { kind: 'file', name, ...shown, digest });
  }
  for (const section of registry.all) {
    if (section.contents || (only !== undefined && !only.has(section.id))) continue;
    for (const name of section.owns.tables) {
      const digest = await digestOfEdit(name, paths);
      if (digest === null) continue;
      report(section, { kind: 'table', name, ours: null, theirs: null, digest });
    }
  }
  for (const [name, ours] of Object.entries(state.written.directives ?? {})) {
    const theirs = view.directive(name);
    if (theirs === ours) continue;
    const { file } = splitDirectiveKey(name);
    const section = owner(({ owns }) => owns.directives?.includes(file) ?? false);
    const digest = digestOf(String(theirs));
    report(section, { kind: 'directive', name, ours, theirs, digest });
  }
  for (const [id, was] of Object.entries(state.contents)) {
    const section = registry.get(id);
    if (!section || (only !== undefined && !only.has(id))) continue;
    for (const { table, digest } of await alteredTables(section, was, paths)) {
      const { edits } = await tableEdits(section, was, table, paths);
      const text = (side: 'ours' | 'theirs') =>
        edits
          .flatMap((edit) => (edit[side] === null ? [] : [`${edit.key} ${edit[side]}`]))
          .join('\n');
      const [ours, theirs] = [text('ours') || null, text('theirs') || null];
      report(section, { kind: 'table', name: table, ours, theirs, digest });
    }
  }
  return entries;
}

/** The whole list as we left it: foreign elements as they are, and of our kind exactly ours. */
function listAsWritten(
  view: ConfigView,
  list: string,
  ours: readonly string[],
  claims: (element: string) => boolean,
): string {
  const layout = layoutOf(list);
  const kept = splitList(view.parameter(list)).filter(
    (element) => holdsAll(ours, [element], layout) || !claims(element),
  );
  const lost = ours.filter((element) => !holdsAll(kept, [element], layout));
  return (layout.place === 'start' ? [...lost, ...kept] : [...kept, ...lost]).join(', ');
}

/** The content of a file as we wrote it; null when it is secret, or the settings say something else by now. */
function writtenFile(
  section: Section,
  name: string,
  digest: string,
  state: HelperState,
  view: ConfigView,
): string | null {
  try {
    const file = section.render(state.sections[section.id], view, state.sections).files?.[name];
    return file && !file.secret && digestOf(file.content) === digest ? file.content : null;
  } catch (error) {
    // Without the key for its secrets a section cannot say what it wrote.
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/**
 * The elements of a list we never wrote that a section could have written. Others of its kind are beyond what it would
 * ever write, and nobody has agreed to them: that is told, and a save asks what shall become of them.
 */
function understood(registry: SectionRegistry, list: string, view: ConfigView): readonly string[] {
  const sections = registry.all.filter(
    (section) => section.claims !== undefined && section.owns.lists.includes(list),
  );
  const settings = sections.map((section) => [section.id, section.read(view).settings]);
  return listEntries(registry, list, Object.fromEntries(settings) as AllSettings, view);
}

/** What not everybody on the machine may read may hold a password, and no page shows it. */
async function isPublic(file: string): Promise<boolean> {
  return (((await statusOf(file))?.mode ?? 0) & 0o004) !== 0;
}
