/** What a line of a file changes of an alias that is there: of each part that differs, what it was and what it will be. Pure. */
import type { AliasValues } from './store.js';

/** Targets that are shown of an alias; of longer lists only what goes and what comes. */
export const SHOWN_TARGETS = 5;

export type AliasPart = 'targets' | 'note' | 'enabled';

export interface Difference {
  readonly part: AliasPart;
  /** All targets, or those that go; the note; `on` or `off`. Empty for none. */
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** Not all of it: only what goes and what comes. */
  readonly partly: boolean;
}

/** Empty where both mean the same: the order of targets says nothing to Postfix. */
export function differencesBetween(before: AliasValues, after: AliasValues): readonly Difference[] {
  const found: Difference[] = [];
  const gone = before.targets.filter((target) => !after.targets.includes(target));
  const fresh = after.targets.filter((target) => !before.targets.includes(target));
  if (gone.length + fresh.length > 0) {
    const partly = Math.max(before.targets.length, after.targets.length) > SHOWN_TARGETS;
    const whole = { before: before.targets, after: after.targets };
    found.push({ part: 'targets', ...(partly ? { before: gone, after: fresh } : whole), partly });
  }
  const differ = (part: AliasPart, textOf: (values: AliasValues) => string): void => {
    const [was, is] = [textOf(before), textOf(after)];
    if (was === is) return;
    const words = (text: string): readonly string[] => (text === '' ? [] : [text]);
    found.push({ part, before: words(was), after: words(is), partly: false });
  };
  differ('note', ({ note }) => note);
  differ('enabled', ({ enabled }) => (enabled ? 'on' : 'off'));
  return found;
}
