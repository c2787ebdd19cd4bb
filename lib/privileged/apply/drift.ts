/** Hand edits: where what is on the machine is not what we wrote. */
import type { SectionRegistry } from '../../sections/registry.js';
import { readText } from '../files.js';
import type { Paths } from '../paths.js';
import type { DriftEntry } from '../protocol.js';
import type { ConfigView } from '../postfix/config-view.js';
import { splitList } from '../postfix/list-value.js';
import { digestOf, type HelperState } from '../state.js';
import { isBelow, ownedServices, presentValue } from './plan.js';

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
  for (const [name, ours] of Object.entries(state.written.lists)) {
    const theirs = view.parameter(name);
    const present = new Set(splitList(theirs));
    if (owns('lists', name) && !ours.every((element) => present.has(element))) {
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
      entries.push({ kind: 'file', name, ours: null, theirs, digest });
    }
  }
  return entries;
}
