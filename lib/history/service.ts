/** The history as its pages need it: which changes an undo takes back, and what it asks for. */
import type { Change, Row } from '../changes/change.js';
import type { Changes } from '../changes/service.js';
import type { SecretQuestion } from '../changes/undo.js';
import { UserError } from '../errors.js';

/** How many changes one “back to before this” may take back. */
export const MAX_UNDO_CHANGES = 500;

/** By table: seals a secret for the row it will stand in. */
export type SecretSealers = ReadonlyMap<string, (row: Row, secret: string) => Promise<string>>;

/** Throws `UserError` for a secret that only its own page can take. */
export function sealAgainWith(
  sealers: SecretSealers,
): (question: SecretQuestion, secret: string) => Promise<string> {
  return async ({ table, row, field }, secret) => {
    const seal = sealers.get(table);
    if (!seal) throw new UserError({ key: 'history.error.ownPage', values: {}, field });
    return seal(row, secret);
  };
}

export type UndoScope = 'one' | 'since';

export interface HistoryService {
  /** The changes an undo of this scope takes back, newest first. Throws `UserError` when there are too many or none. */
  taken(change: Change, scope: UndoScope): Promise<readonly Change[]>;
}

export function createHistoryService(changes: Pick<Changes, 'history' | 'get'>): HistoryService {
  return {
    taken: async (change, scope) => {
      if (change.state !== 'applied') {
        throw new UserError({ key: 'changes.error.notApplied', values: {} });
      }
      if (scope === 'one') return [change];
      const { changes: newest } = await changes.history(
        { state: 'applied' },
        { limit: MAX_UNDO_CHANGES },
      );
      const since = newest.filter(({ number }) => number >= change.number);
      if (since.at(-1)?.number !== change.number) {
        throw new UserError({ key: 'history.error.tooMany', values: { limit: MAX_UNDO_CHANGES } });
      }
      return Promise.all(since.map(({ id }) => changes.get(id)));
    },
  };
}
