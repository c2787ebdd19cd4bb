/** Asks the helper what became of a mailing's messages, and notes it. */
import type { Knex } from 'knex';
import type { Helper } from '../client/helper.js';
import type { HelperProgress } from '../contract.js';
import { fold } from './fold.js';
import {
  readFollowed,
  readKnown,
  readRecipients,
  updateKnown,
  type Known,
} from './recipient-store.js';
import { FOLLOW_PIECE, type FollowEvent, type FollowResult } from './schema.js';
import { noteLogCursor, type Mailing } from './store.js';

const ACTOR = 'bulk';
/** Recipients that are looked for by their address, at most. */
const MAX_SOUGHT = 1_000;

export interface FollowParts {
  readonly db: Knex;
  readonly helper: Helper;
}

/** Where the log ends now; null when none can be read. Throws `HelperError`. */
export async function endOfLog(
  { helper }: FollowParts,
  { key, secret, sender }: Mailing,
): Promise<string | null> {
  const params = { key, secret, sender, cursor: null, settle: null };
  const { cursor } = await helper.call('bulk-follow', params, options([]));
  return cursor;
}

/** Reads on from where it stopped, to the end. Throws `HelperError`. */
export async function readOn(parts: FollowParts, mailing: Mailing): Promise<void> {
  const { key, secret, id, sender } = mailing;
  for (let cursor = mailing.logCursor, more = true; more && cursor !== null && cursor !== '';) {
    const followed = await readFollowed(parts.db, id);
    const params = { key, secret, sender, cursor, settle: null };
    const { events, result } = await ask(parts, params, pieces(followed));
    const next = result.cursor ?? '';
    await parts.db.transaction(async (trx) => {
      await apply(trx, id, events);
      await noteLogCursor(trx, id, next);
    });
    ({ more } = result);
    cursor = next;
  }
}

/** What log and queue together say of messages of which we do not know whether they got through. */
export type Evidence = Pick<FollowResult, 'quiet'> & {
  /** Nothing that was written is missing, so that what does not stand there did not happen. */
  readonly complete: boolean;
};

/** `ageSeconds`: since the first of them was tried. Throws `HelperError`. */
export async function gatherEvidence(
  parts: FollowParts,
  mailing: Mailing,
  ageSeconds: number,
): Promise<Evidence> {
  const { key, secret, id, sender } = mailing;
  const { db } = parts;
  const wanted = { states: ['checking'], search: '', after: 0, limit: MAX_SOUGHT } as const;
  const sought = (await readRecipients(db, id, wanted)).map(({ address, no }) => [address, no]);
  const start = mailing.checkCursor === '' ? null : mailing.checkCursor;
  let complete = start !== null;
  let quiet = false;
  for (let cursor = start, more = true; more;) {
    const followed = await readFollowed(db, id);
    const params = { key, secret, sender, cursor, settle: Math.ceil(ageSeconds) };
    const { events, result } = await ask(parts, params, pieces([...followed, ...sought]));
    await db.transaction((trx) => apply(trx, id, events));
    complete &&= !result.gap && !result.crashed && result.cursor !== null;
    ({ more, quiet, cursor } = result);
  }
  return { quiet, complete };
}

async function ask(
  { helper }: FollowParts,
  params: Parameters<Helper['call']>[1] & {
    readonly key: string;
    readonly secret: string;
    readonly cursor: string | null;
    readonly settle: number | null;
    readonly sender: string;
  },
  input: readonly unknown[],
): Promise<{ readonly events: readonly FollowEvent[]; readonly result: FollowResult }> {
  const events: FollowEvent[] = [];
  const onProgress = ({ row }: HelperProgress): void => {
    for (const event of (row ?? []) as readonly FollowEvent[]) events.push(event);
  };
  const result = await helper.call('bulk-follow', params, { ...options(input), onProgress });
  return { events, result };
}

function options(input: readonly unknown[]) {
  return { actor: ACTOR, input };
}

function pieces(list: readonly unknown[]): readonly unknown[] {
  const cut: unknown[] = [];
  for (let at = 0; at < list.length; at += FOLLOW_PIECE)
    cut.push(list.slice(at, at + FOLLOW_PIECE));
  return cut;
}

async function apply(trx: Knex, mailing: string, events: readonly FollowEvent[]): Promise<void> {
  const byNumber = new Map<number, FollowEvent[]>();
  for (const event of events) {
    const list = byNumber.get(event[0]);
    if (list) list.push(event);
    else byNumber.set(event[0], [event]);
  }
  if (byNumber.size === 0) return;
  const changed: Known[] = [];
  for (const known of await readKnown(trx, mailing, [...byNumber.keys()])) {
    const after = (byNumber.get(known.no) ?? []).reduce(fold, known);
    if (JSON.stringify(after) !== JSON.stringify(known)) changed.push(after);
  }
  await updateKnown(trx, mailing, changed);
}
