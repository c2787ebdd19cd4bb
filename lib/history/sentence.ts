/** What a change did, in one sentence: of one that took another back, what that one had done. */
import type { ChangeSummary } from '../changes/change.js';
import { UNDO } from '../changes/taken-back.js';
import type { Changes } from '../changes/service.js';
import { NotFoundError } from '../errors.js';
import type { Translator } from '../i18n.js';

/** How far back and forth is followed, in changes. */
const MAX_STEPS = 10;

export async function changeSentence(
  t: Translator,
  changes: Pick<Changes, 'glance'>,
  change: Pick<ChangeSummary, 'title' | 'undoes'>,
): Promise<string> {
  const own = t(change.title.key, change.title.values);
  let root = change;
  let steps = 0;
  while (root.title.key === UNDO && root.undoes !== null) {
    const taken = steps < MAX_STEPS ? await find(changes, root.undoes) : null;
    if (taken === null) return own;
    root = taken;
    steps += 1;
  }
  if (steps === 0) return own;
  const what = t(root.title.key, root.title.values);
  return t(steps % 2 === 1 ? 'history.takenBack' : 'history.broughtBack', { what });
}

async function find(
  changes: Pick<Changes, 'glance'>,
  id: string,
): Promise<Pick<ChangeSummary, 'title' | 'undoes'> | null> {
  try {
    return await changes.glance(id);
  } catch (error) {
    if (error instanceof NotFoundError) return null;
    throw error;
  }
}
