/** Our elements and foreign ones in one list value. */

export { splitList } from '../../sections/elements.js';

/** What matters of a shared list for a merge. */
export interface ListLayout {
  readonly place: 'start' | 'end';
  readonly foldsCase?: boolean;
  readonly unordered?: boolean;
}

export interface ListMerge {
  readonly elements: readonly string[];
  /** False: what is there already says it, so the text stays as it is, byte for byte. */
  readonly changed: boolean;
}

/**
 * Puts our elements into a list: those we wrote before go, the new ones come, foreign ones keep their place and order.
 * Elements that are wanted and already there (also as foreign ones) are left where they are, as they are written.
 */
export function mergeList(
  current: readonly string[],
  oursBefore: readonly string[],
  oursNow: readonly string[],
  layout: ListLayout,
): ListMerge {
  const key = keyOf(layout);
  const before = new Set(oursBefore.map(key));
  const wanted = [...new Set(oursNow.map(key))];
  const written = new Map(oursNow.map((element) => [key(element), element]));
  for (const element of current) written.set(key(element), element);
  const kept = current.filter((one) => wanted.includes(key(one)) || !before.has(key(one)));
  const present = kept.map(key).filter((one) => wanted.includes(one));
  const inOrder =
    layout.unordered === true || present.every((element, index) => element === wanted[index]);
  const spelled = (keys: readonly string[]) => keys.map((one) => written.get(one) ?? one);
  const place = (foreign: readonly string[], ours: readonly string[], at: number): ListMerge => {
    const elements = [...foreign.slice(0, at), ...ours, ...foreign.slice(at)];
    return { elements, changed: !sameElements(elements, current) };
  };
  const anchor = (foreign: readonly string[]) => (layout.place === 'start' ? 0 : foreign.length);
  if (inOrder) {
    const missing = spelled(wanted.filter((one) => !present.includes(one)));
    const last =
      present.length === 0 ? -1 : kept.findLastIndex((one) => key(one) === present.at(-1));
    return place(kept, missing, last < 0 ? anchor(kept) : last + 1);
  }
  const foreign = kept.filter((one) => !wanted.includes(key(one)));
  return place(foreign, spelled(wanted), anchor(foreign));
}

/** Those of `ours` that really stand in the list, as they are written there. */
export function ownElements(
  elements: readonly string[],
  ours: readonly string[],
  layout: ListLayout,
): readonly string[] {
  const key = keyOf(layout);
  const wanted = new Set(ours.map(key));
  return elements.filter((element) => wanted.has(key(element)));
}

/** Whether all of `ours` stand in the list. */
export function holdsAll(
  elements: readonly string[],
  ours: readonly string[],
  layout: ListLayout,
): boolean {
  const key = keyOf(layout);
  const there = new Set(elements.map(key));
  return ours.every((element) => there.has(key(element)));
}

function keyOf({ foldsCase = false }: ListLayout): (element: string) => string {
  return (element) => (foldsCase ? element.toLowerCase() : element);
}

export function sameElements(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((element, index) => element === right[index]);
}
