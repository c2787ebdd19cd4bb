/** Postfix list values: elements divided by commas or white space, `{ ... }` kept together (postconf(5)). */

/** The elements of a list value, braces and all. */
export function splitList(value: string): readonly string[] {
  const elements: string[] = [];
  let depth = 0;
  let current = '';
  for (const character of value) {
    if (depth === 0 && /[\s,]/.test(character)) {
      if (current !== '') elements.push(current);
      current = '';
      continue;
    }
    if (character === '{') depth += 1;
    if (character === '}') depth = Math.max(0, depth - 1);
    current += character;
  }
  if (current !== '') elements.push(current);
  return elements;
}

/** How the entries of the features stand in one shared list parameter. */
export interface ListLayout {
  /** Slots in the order their entries take. */
  readonly slots: readonly string[];
  /** Where our entries go among the foreign ones: index into `foreign`. */
  anchor(foreign: readonly string[]): number;
}

export interface ListMerge {
  readonly elements: readonly string[];
  /** False: what is there already says it, so the text stays as it is, byte for byte. */
  readonly changed: boolean;
}

/**
 * Puts our elements into a list: those we wrote before go, the new ones come, foreign ones keep their place and order.
 * Elements that are wanted and already there (also as foreign ones) are left where they are.
 */
export function mergeList(
  current: readonly string[],
  oursBefore: readonly string[],
  oursNow: readonly string[],
  anchor: ListLayout['anchor'],
): ListMerge {
  const before = new Set(oursBefore);
  const wanted = new Set(oursNow);
  const kept = current.filter((element) => wanted.has(element) || !before.has(element));
  const present = kept.filter((element) => wanted.has(element));
  const inOrder = present.every((element, index) => element === oursNow[index]);
  if (inOrder) {
    const missing = oursNow.slice(present.length);
    const lastOfOurs = present.at(-1);
    const at = lastOfOurs === undefined ? anchor(kept) : kept.lastIndexOf(lastOfOurs) + 1;
    const elements = [...kept.slice(0, at), ...missing, ...kept.slice(at)];
    return { elements, changed: !sameElements(elements, current) };
  }
  const foreign = current.filter((element) => !wanted.has(element) && !before.has(element));
  const at = anchor(foreign);
  const elements = [...foreign.slice(0, at), ...oursNow, ...foreign.slice(at)];
  return { elements, changed: !sameElements(elements, current) };
}

function sameElements(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((element, index) => element === right[index]);
}
