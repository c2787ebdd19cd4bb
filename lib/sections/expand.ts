/** `$name` in values of main.cf (postconf(5)). */
import type { SystemView } from './section.js';

/** Deeper than any configuration goes; a name that refers to itself ends here. */
const MAX_DEPTH = 10;

/** A value with `$name`, `${name}` and `$(name)` replaced by what they stand for; conditional forms stay as they are. */
export function expand(text: string, system: Pick<SystemView, 'parameter'>, depth = 0): string {
  if (depth > MAX_DEPTH) return text;
  return text.replace(/\$(?:\{(\w+)\}|\((\w+)\)|(\w+))/g, (_, ...names: (string | undefined)[]) =>
    expand(system.parameter(names[0] ?? names[1] ?? names[2] ?? ''), system, depth + 1),
  );
}
