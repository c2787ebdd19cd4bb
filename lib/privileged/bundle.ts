/** All that one file of the helper holds: see `bundled.ts`. */
import { ACTION_NAMES, loadAction } from './actions/index.js';

export { serve } from './serve.js';

/** Loads whatever a request may need, so that V8 has made its code of it. */
export async function loadAll(): Promise<void> {
  await Promise.all(ACTION_NAMES.map(loadAction));
  await import('../sections/index.js');
}
