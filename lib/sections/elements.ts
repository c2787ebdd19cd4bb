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
