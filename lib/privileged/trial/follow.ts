/** Follows a mail in the log until its fate is settled, or its time is over. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { MailLog } from '../mail-log.js';
import { fateOf, isSettled, type Fate } from './fate.js';

const LOOK_EVERY_MS = 150;

export interface FollowOptions {
  /** In milliseconds. After that it is in the queue, where it is looked after. */
  readonly limitMs: number;
  readonly signal: AbortSignal;
  /** Hears what the log says at each look. */
  readonly seen: (fate: Fate, lines: readonly string[]) => void;
}

/** `messageId` with its angle brackets. */
export async function followMail(
  log: MailLog,
  messageId: string,
  { limitMs, signal, seen }: FollowOptions,
): Promise<Fate> {
  return lookUntil(log, limitMs, (lines) => {
    const fate = fateOf(lines, messageId);
    seen(fate, lines);
    return { value: fate, enough: isSettled(fate) || signal.aborted };
  });
}

/** Looks into a log again and again, until that is enough or the time is over; gives what the last look found. */
export async function lookUntil<T>(
  log: MailLog,
  limitMs: number,
  look: (lines: readonly string[]) => { readonly value: T; readonly enough: boolean },
): Promise<T> {
  for (const end = Date.now() + limitMs; ; await sleep(LOOK_EVERY_MS)) {
    const { value, enough } = look(await log.lines());
    if (enough || Date.now() > end) return value;
  }
}
