/** Hand edits: where what is on the machine is not what we wrote. */
import type { SectionRegistry } from '../../sections/registry.js';
import { layoutOf, SHARED_LISTS } from '../../sections/lists.js';
import type { AllSettings } from '../../sections/section.js';
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
  const concerns = (owned: (id: string) => boolean): boolean =>
    only === undefined || [...only].some(owned);
  const owns = (kind: 'parameters' | 'lists', name: string) =>
    concerns((id) => registry.get(id)?.owns[kind].includes(name) ?? false);
  const ownsService = (name: string) =>
    concerns((id) => {
      const section = registry.get(id);
      return section !== undefined && ownedServices(section, view).includes(name);
    });
  const ownsFile = (name: string) =>
    concerns((id) => {
      const owned = registry.get(id)?.owns;
      return owned !== undefined && (owned.files.includes(name) || isBelow(owned.folders, name));
    });
  const entries: DriftEntry[] = [];
  for (const [name, ours] of Object.entries(state.written.parameters)) {
    const theirs = presentValue(view, name);
    if (owns('parameters', name) && theirs !== ours) {
      entries.push({ kind: 'parameter', name, ours, theirs, digest: digestOf(String(theirs)) });
    }
  }
  for (const name of Object.keys(SHARED_LISTS)) {
    const theirs = view.parameter(name);
    const present = splitList(theirs);
    const written = state.written.lists[name];
    const ours = written ?? understood(registry, name, view);
    const claims = claimOf(registry, name);
    const added = present.filter((element) => claims(element) && !ours.includes(element));
    const lost = written !== undefined && !holdsAll(present, ours, layoutOf(name));
    if (owns('lists', name) && (lost || added.length > 0)) {
      const meant = ours.join(', ');
      entries.push({ kind: 'parameter', name, ours: meant, theirs, digest: digestOf(theirs) });
    }
  }
  for (const [name, ours] of Object.entries(state.written.master)) {
    const theirs = view.masterService(name);
    if (ownsService(name) && theirs !== ours) {
      entries.push({ kind: 'master', name, ours, theirs, digest: digestOf(String(theirs)) });
    }
  }
  for (const [name, ours] of Object.entries(state.written.files)) {
    if (!ownsFile(name)) continue;
    const theirs = await readText(`${paths.root}${name}`);
    const digest = digestOf(theirs ?? '');
    if (theirs === null || digest !== ours) {
      const shown = theirs !== null && (await isPublic(`${paths.root}${name}`)) ? theirs : null;
      entries.push({ kind: 'file', name, ours: null, theirs: shown, digest });
    }
  }
  for (const [id, was] of Object.entries(state.contents)) {
    const section = registry.get(id);
    if (!section || !concerns((one) => one === id)) continue;
    for (const { table, digest } of await alteredTables(section, was, paths)) {
      entries.push({ kind: 'table', name: table, ours: null, theirs: null, digest });
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
