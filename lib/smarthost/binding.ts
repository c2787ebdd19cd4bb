/**
 * What a sealed password is bound to, and when it may be used again.
 *
 * A box is sealed for its row, server, user and the strictness of the connection at that time. Nobody but the helper can
 * open it, so it cannot be sealed anew when the connection gets stricter; instead the helper tries every strictness up
 * to the present one. A box that was sealed for a stricter connection than the present one opens for none of them.
 */
import { nextHop, verifies, type SmarthostSettings } from './schema.js';

const ROW = 'smarthost';

/** From the weakest to the strictest. */
const STRICTNESS = ['none', 'may', 'encrypt', 'verify'] as const;

type Target = Omit<SmarthostSettings, 'password'>;

function strictness(settings: Pick<Target, 'tls' | 'verify'>): number {
  if (settings.tls === 'none') return 0;
  if (settings.tls === 'may') return 1;
  return verifies(settings) ? 3 : 2;
}

/** The binding to seal a password with that was entered for these settings. */
export function bindingOf(settings: Target): readonly string[] {
  return bindingAt(settings, strictness(settings));
}

function bindingAt(settings: Target, level: number): readonly string[] {
  return [ROW, nextHop(settings), settings.username, STRICTNESS[level] ?? ''];
}

/** Opens a password for these settings. Throws a `RangeError` when it was entered for others, or for a stricter connection. */
export function openPassword(
  settings: SmarthostSettings,
  open: (box: string, binding: readonly string[]) => string,
): string {
  for (let level = strictness(settings); level > 0; level -= 1) {
    try {
      return open(settings.password, bindingAt(settings, level));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }
  return open(settings.password, bindingAt(settings, 0));
}

/** Whether a password that was stored for `before` may go on to be used for `after`. */
export function keepsPassword(before: Target, after: Target): boolean {
  return (
    nextHop(before) === nextHop(after) &&
    before.username === after.username &&
    strictness(after) >= strictness(before)
  );
}
