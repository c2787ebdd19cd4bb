/** Hand edits: where what is on the machine is not what we wrote. */
import type { SectionRegistry } from '../../sections/registry.js';
import { layoutOf, SHARED_LISTS } from '../../sections/lists.js';
import type { AllSettings, Section } from '../../sections/section.js';
import { readText, statusOf } from '../files.js';
import type { Paths } from '../paths.js';
import type { DriftEntry } from '../protocol.js';
import type { ConfigView } from '../postfix/config-view.js';
import { holdsAll, splitList } from '../postfix/list-value.js';
import { digestOf, type HelperState } from '../state.js';
import { alteredTables } from './contents-tables.js';
import { claimOf, listEntries, presentValue } from './plan.js';
import { isBelow, ownedServices } from './render.js';

/** All differences, or only those of the named sections. */
export async function findDrift(
  state: HelperState,
  view: ConfigView,
  paths: Paths,
  registry: SectionRegistry,
  only?: ReadonlySet<string>,
): Promise<readonly DriftEntry[]> {
  const entries: DriftEntry[] = [];
  const report = (section: Section | undefined, entry: Omit<DriftEntry, 'section'>): void => {
    if (section && (only === undefined || only.has(section.id))) {
      entries.push({ ...entry, section: section.id });
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
    const theirs = view.parameter(name);
    const present = splitList(theirs);
    const written = state.written.lists[name];
    const elements = written ?? understood(registry, name, view);
    const claims = claimOf(registry, name);
    const added = present.filter((element) => claims(element) && !elements.includes(element));
    const lost = written !== undefined && !holdsAll(present, elements, layoutOf(name));
    if (!lost && added.length === 0) continue;
    const ours = elements.join(', ');
    const share = ({ owns }: Section) => owns.lists.includes(name);
    for (const section of registry.all.filter(share)) {
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
  for (const [name, ours] of Object.entries(state.written.files)) {
    const theirs = await readText(`${paths.root}${name}`);
    const digest = digestOf(theirs ?? '');
    if (theirs !== null && digest === ours) continue;
    const shown = theirs !== null && (await isPublic(`${paths.root}${name}`)) ? theirs : null;
    const section = owner(({ owns }) => owns.files.includes(name) || isBelow(owns.folders, name));
    report(section, { kind: 'file', name, ours: null, theirs: shown, digest });
  }
  for (const [id, was] of Object.entries(state.contents)) {
    const section = registry.get(id);
    if (!section || (only !== undefined && !only.has(id))) continue;
    for (const { table, digest } of await alteredTables(section, was, paths)) {
      report(section, { kind: 'table', name: table, ours: null, theirs: null, digest });
    }
  }
  return entries;
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
