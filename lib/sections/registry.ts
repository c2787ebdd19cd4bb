/** The set of sections, proved at start to be free of two owners for one thing. */
import { SHARED_LISTS } from './lists.js';
import type { Section } from './section.js';

export interface SectionRegistry {
  readonly all: readonly Section[];
  get(id: string): Section | undefined;
  /** The section that owns a parameter alone, if any. */
  ownerOf(parameter: string): Section | undefined;
}

/** Throws when two sections claim one parameter, service, table or file, or a list is not a shared one. */
export function createRegistry(all: readonly Section[]): SectionRegistry {
  const owners = new Map<string, string>();
  for (const section of all) {
    const { parameters, master, options = [], tables, files, lists } = section.owns;
    for (const [kind, names] of Object.entries({ parameters, master, options, tables, files })) {
      for (const name of names) claim(owners, `${kind} ${name}`, section.id);
    }
    for (const list of lists) {
      if (!SHARED_LISTS[list]) throw new Error(`${section.id}: ${list} is not a shared list`);
    }
    for (const list of Object.keys(SHARED_LISTS)) {
      if (parameters.includes(list)) throw new Error(`${section.id}: ${list} is shared`);
    }
  }
  return {
    all,
    get: (id) => all.find((section) => section.id === id),
    ownerOf: (parameter) => all.find((section) => section.owns.parameters.includes(parameter)),
  };
}

function claim(owners: Map<string, string>, thing: string, section: string): void {
  const owner = owners.get(thing);
  if (owner) throw new Error(`${thing} is claimed by ${owner} and ${section}`);
  owners.set(thing, section);
}
