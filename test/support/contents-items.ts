/** The entries of a section as they follow a request: each list is a line of its own. */
import { ListLine } from '../../lib/client/list-line.js';
import type { ContentsItem } from '../../lib/privileged/protocol.js';
import { ListItem } from '../../lib/privileged/protocol.js';

/** As the web side sends them. */
export function itemsToSend(
  section: string,
  ...lists: readonly (readonly unknown[])[]
): (ContentsItem | ListLine)[] {
  return [{ section }, ...lists.map((list) => new ListLine(JSON.stringify(list)))];
}

/** As the helper gets them. */
export function itemsReceived(
  section: string,
  ...lists: readonly (readonly unknown[])[]
): (ContentsItem | ListItem)[] {
  return [{ section }, ...lists.map(receivedList)];
}

export function receivedList(list: readonly unknown[]): ListItem {
  return new ListItem(list, Buffer.from(JSON.stringify(list)));
}

/** The entries of what the web side sends. */
export function entriesSent(items: Iterable<unknown>): [key: string, entry: unknown][] {
  return Array.from(items)
    .filter((item) => item instanceof ListLine)
    .flatMap(({ text }) => JSON.parse(text) as [string, unknown][]);
}
