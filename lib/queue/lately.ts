/**
 * Orders and groups of a picture that were asked for lately. The pages of one list, and one list seen again, need the
 * same; to sort and to count 100,000 messages each time would take longer than all else of the page.
 */
import type { Picture } from './picture.js';
import type { QueueFilter, QueueQuery } from './query.js';
import { groupRows, orderRows, pageOf, type Groups, type Selection } from './selection.js';

/** What is kept of one picture: each order takes four bytes a message. */
const MOST_KEPT = 8;
/** Ages are told in minutes at least, so what depends on them may be so old, in seconds. */
const MOMENT_SECONDS = 30;

interface Kept {
  /** Messages in the picture then: what was kept no longer holds when some have gone. */
  readonly size: number;
  readonly orders: Map<string, Uint32Array>;
  readonly groups: Map<string, Groups>;
}

const pictures = new WeakMap<Picture, Kept>();

/** As `select`. */
export function selectLately(picture: Picture, query: QueueQuery, now: number): Selection {
  const { page, ...rest } = query;
  const moment = momentOf(now);
  const key = JSON.stringify([rest, query.olderThan > 0 ? moment : 0]);
  const rows = keptIn(keptOf(picture).orders, key, () => orderRows(picture, rest, moment));
  return pageOf(picture, rows, { page });
}

/** As `groupRows`. */
export function groupsLately(picture: Picture, filter: QueueFilter, now: number): Groups {
  const moment = momentOf(now);
  const key = JSON.stringify([filter, moment]);
  return keptIn(keptOf(picture).groups, key, () => groupRows(picture, filter, moment));
}

function momentOf(now: number): number {
  return now - (now % MOMENT_SECONDS);
}

function keptOf(picture: Picture): Kept {
  const known = pictures.get(picture);
  if (known?.size === picture.size) return known;
  const fresh: Kept = { size: picture.size, orders: new Map(), groups: new Map() };
  pictures.set(picture, fresh);
  return fresh;
}

/** The one used longest ago goes first. */
function keptIn<Value>(all: Map<string, Value>, key: string, make: () => Value): Value {
  const value = all.get(key) ?? make();
  all.delete(key);
  all.set(key, value);
  const [oldest] = all.keys();
  if (all.size > MOST_KEPT && oldest !== undefined) all.delete(oldest);
  return value;
}
