/**
 * What a sealed password of a query is bound to, and when it may be used again. As with the smarthost, nobody but the
 * helper can open a box, so the helper tries every strictness up to the present one: a connection may get stricter under
 * a stored password, never looser.
 */
import { effectivePort, type QueryValues } from './schema.js';

const ROW = 'fetchmail';

/** All that says where a password goes, and how safely. */
export type Target = Pick<
  QueryValues,
  'server' | 'protocol' | 'port' | 'remoteUser' | 'ssl' | 'certificate' | 'fingerprint'
>;

/** Columns a stored password depends on: an undo that changes one asks for it again. */
export const BOUND_COLUMNS = [
  'server',
  'protocol',
  'port',
  'remote_user',
  'ssl',
  'certificate',
  'fingerprint',
] as const;

/** The floors a connection reaches, the strictest first: `2` verified (or one pinned key), `1` encrypted, `0` in the open. */
function floors({ ssl, certificate, fingerprint }: Target): readonly string[] {
  if (ssl === 'none') return ['0'];
  if (certificate === 'check') return ['2', '1', '0'];
  return certificate === 'fingerprint' ? [`2 ${fingerprint}`, '1', '0'] : ['1', '0'];
}

function bindingAt(target: Target, floor: string): readonly string[] {
  const port = effectivePort(target);
  return [ROW, target.server, port === null ? '' : String(port), target.remoteUser, floor];
}

/** The binding to seal a password with that was entered for these settings. */
export function bindingOf(target: Target): readonly string[] {
  return bindingAt(target, floors(target)[0] ?? '0');
}

/** What names the password of a query in a backup: the same mailbox on another machine has the same name. */
export function passwordName({
  name,
  server,
  remoteUser,
}: Pick<QueryValues, 'name' | 'server' | 'remoteUser'>): string {
  return `fetchmail/${JSON.stringify([name, server, remoteUser])}`;
}

/** Opens a password for these settings. Throws a `RangeError` when it was entered for others, or for a stricter connection. */
export function openPassword(
  query: Target & Pick<QueryValues, 'remotePassword'>,
  open: (box: string, binding: readonly string[]) => string,
): string {
  let failure: unknown;
  for (const floor of floors(query)) {
    try {
      return open(query.remotePassword, bindingAt(query, floor));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      failure = error;
    }
  }
  throw failure;
}

/** Whether a password that was stored for `before` may go on to be used for `after`. */
export function keepsPassword(before: Target, after: Target): boolean {
  return (
    before.server === after.server &&
    effectivePort(before) === effectivePort(after) &&
    before.remoteUser === after.remoteUser &&
    floors(after).includes(floors(before)[0] ?? '')
  );
}
