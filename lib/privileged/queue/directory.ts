/** The queue as folders and files: counts and places without opening a message. */
import { lstatSync, readdirSync } from 'node:fs';
import { hashDigits } from '../../queue/id.js';
import { QUEUES, type QueueCounts, type QueueName } from '../../queue/schema.js';

/** Names this long are hashed sub-folders; queue ids are longer. */
const FOLDER_NAME_LENGTH = 1;
/** Hashed folders are searched no deeper than this, when a file is not where its id says. */
const MAX_DEPTH = 3;

/** How many messages wait where. A message that moves meanwhile may be missed or counted twice. */
export function countQueues(queueDir: string): QueueCounts {
  const count = (folder: string): number => {
    let files = 0;
    for (const name of list(folder)) {
      if (name.length === FOLDER_NAME_LENGTH) files += count(`${folder}/${name}`);
      else files += 1;
    }
    return files;
  };
  const counts = [...QUEUES, 'corrupt' as const].map(
    (queue) => [queue, count(`${queueDir}/${queue}`)] as const,
  );
  return Object.fromEntries(counts) as unknown as QueueCounts;
}

/** Every message of one queue. */
export function filesIn(folder: string): readonly { readonly id: string; readonly path: string }[] {
  return list(folder).flatMap((name) => {
    const path = `${folder}/${name}`;
    return name.length === FOLDER_NAME_LENGTH ? filesIn(path) : [{ id: name, path }];
  });
}

/** Which of the ids are in the queue now, and where. */
export function findInQueues(
  queueDir: string,
  wanted: ReadonlySet<string>,
): ReadonlyMap<string, QueueName> {
  const found = new Map<string, QueueName>();
  const search = (queue: QueueName, folder: string): void => {
    for (const name of list(folder)) {
      if (name.length === FOLDER_NAME_LENGTH) search(queue, `${folder}/${name}`);
      else if (wanted.has(name)) found.set(name, queue);
    }
  };
  for (const queue of QUEUES) search(queue, `${queueDir}/${queue}`);
  return found;
}

export interface Place {
  readonly queue: QueueName;
  readonly path: string;
}

/** Where one message lies; null when it has left the queue. */
export function locate(queueDir: string, id: string): Place | null {
  for (const queue of QUEUES) {
    const path = fileOf(`${queueDir}/${queue}`, id);
    if (path !== null) return { queue, path };
  }
  return null;
}

/** The file of that id in a queue folder or a folder of logs (`defer`, `bounce`); null when there is none. */
export function fileOf(folder: string, id: string): string | null {
  const digits = hashDigits(id);
  for (let depth = 0; depth < MAX_DEPTH; depth += 1) {
    const path = `${folder}/${[...digits.slice(0, depth), id].join('/')}`;
    if (lstatSync(path, { throwIfNoEntry: false })?.isFile()) return path;
  }
  return null;
}

/** What the file of a deferred message tells, in seconds since 1970; 0 where it tells nothing. */
export interface FileTimes {
  /** The queue manager sets the modification time to the next try (qmgr_active.c). */
  readonly nextTry: number;
  /** When the file was made: later than the message's arrival when it was queued anew. */
  readonly created: number;
}

const NOTHING: FileTimes = { nextTry: 0, created: 0 };

/** Reads the times of deferred messages, fast: it remembers how deep the folders are hashed. */
export function fileTimesReader(queueDir: string): (queue: QueueName, id: string) => FileTimes {
  let known = 1;
  return (queue, id) => {
    if (queue !== 'deferred') return NOTHING;
    const digits = hashDigits(id);
    for (let step = 0; step < MAX_DEPTH; step += 1) {
      const depth = (known + step) % MAX_DEPTH;
      const folders = digits.slice(0, depth).split('').join('/');
      const path = `${queueDir}/deferred/${folders}${depth > 0 ? '/' : ''}${id}`;
      const file = lstatSync(path, { throwIfNoEntry: false });
      if (file !== undefined) {
        known = depth;
        const { mtimeMs, birthtimeMs, ctimeMs } = file;
        // A file system that does not note the birth gives another time for it: a deferred file is older than its last change.
        const born = birthtimeMs > 0 && birthtimeMs < ctimeMs ? birthtimeMs : 0;
        return { nextTry: Math.floor(mtimeMs / 1000), created: Math.floor(born / 1000) };
      }
    }
    return NOTHING;
  };
}

function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw error;
  }
}
