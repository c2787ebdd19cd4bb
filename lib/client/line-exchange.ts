/** One request and its answer over a pair of streams: what socket and direct start have in common. */
import type { Readable, Writable } from 'node:stream';
import type { HelperCallOptions } from '../contract.js';
import { HelperError, type HelperStage } from '../errors.js';
import type { Answer, Request } from '../privileged/protocol.js';
import { ListLine } from './list-line.js';
import { limitsOf, PATIENCE, type Patience } from './patience.js';

/** The protocol this side speaks; the helper refuses another. */
export const PROTOCOL = 2;

/** How long an action has to answer after it was asked to stop, in milliseconds. */
export const CANCEL_TIMEOUT_MS = 15_000;

/**
 * Sends the request, reports progress, returns the result. Rejects with a `HelperError`.
 * An aborted signal asks the action to stop; what it has done by then is its answer.
 */
export async function exchange(
  input: Readable,
  output: Writable,
  action: string,
  params: Readonly<Record<string, unknown>>,
  options: HelperCallOptions,
  patience: Patience = PATIENCE,
): Promise<unknown> {
  const { totalMs, silenceMs, harmless } = limitsOf(action, params, patience);
  const { actor, signal, onSilence = () => undefined } = options;
  const request: Request = { protocol: PROTOCOL, action, actor, params };
  let reason: 'timeout' | 'cancelled' | null = null;
  const end = (why: 'timeout' | 'cancelled'): void => {
    reason ??= why;
    input.destroy();
  };
  if (signal?.aborted) throw failure('run', 'helper.connect.cancelled');
  let stopping: NodeJS.Timeout | undefined;
  const cancel = (): void => {
    output.write('{"cancel":true}\n');
    stopping = setTimeout(() => end('cancelled'), CANCEL_TIMEOUT_MS);
  };
  const timeOut = (): void => end('timeout');
  const limitMs = Math.min(options.timeoutMs ?? Infinity, totalMs);
  const timer = limitMs === Infinity ? undefined : setTimeout(timeOut, limitMs);
  const alarms: readonly Alarm[] = [
    { afterMs: patience.lookMs, ring: onSilence },
    { afterMs: silenceMs, ring: timeOut },
  ];
  signal?.addEventListener('abort', cancel, { once: true });
  output.on('error', () => undefined);
  try {
    output.write(`${JSON.stringify(request)}\n`);
    const answer = await Promise.race([
      readAnswer(whileAlive(linesOf(input), alarms), options.onProgress, harmless),
      faultOfSender(input, output, options.input ?? null),
    ]);
    if (answer === null) throw lost(`helper.connect.${reason ?? 'cut'}`, harmless);
    if ('error' in answer) throw new HelperError(answer.error);
    return answer.result;
  } finally {
    clearTimeout(timer);
    clearTimeout(stopping);
    signal?.removeEventListener('abort', cancel);
  }
}

type Items = AsyncIterable<unknown> | Iterable<unknown>;

/**
 * Sends the items, if there are any. Settles only when they cannot be read to their end: the connection is cut, so that
 * the helper does not wait for the rest, and it rejects with the cause.
 */
function faultOfSender(input: Readable, output: Writable, items: Items | null): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (items === null) return;
    sendItems(output, items).catch((cause: unknown) => {
      output.destroy();
      input.destroy();
      reject(cause instanceof Error ? cause : new Error(String(cause)));
    });
  });
}

/** Stops early, without a fault, when the helper takes no more: its answer says why. Rejects with what `items` throws. */
async function sendItems(output: Writable, items: Items): Promise<void> {
  for await (const item of items) {
    if (output.destroyed) return;
    const line = item instanceof ListLine ? item.text : JSON.stringify({ item });
    if (output.write(`${line}\n`)) continue;
    await new Promise<void>((resolve) => {
      const over = (): void => {
        output.off('drain', over).off('close', over);
        resolve();
      };
      output.on('drain', over).on('close', over);
    });
  }
  output.write('{"end":true}\n');
}

type Final = Extract<Answer, { result: unknown } | { error: unknown }>;

async function readAnswer(
  lines: AsyncIterable<string>,
  onProgress: HelperCallOptions['onProgress'],
  harmless: boolean,
): Promise<Final | null> {
  for await (const line of lines) {
    const answer = parseAnswer(line, harmless);
    if ('alive' in answer) continue;
    if (!('progress' in answer)) return answer;
    await onProgress?.(answer.progress);
  }
  return null;
}

/** Rings when a line is waited for that long. */
interface Alarm {
  readonly afterMs: number;
  readonly ring: () => void;
}

/** While the reader of the lines is busy with the one before, nobody waits. */
async function* whileAlive(
  lines: AsyncIterable<string>,
  alarms: readonly Alarm[],
): AsyncGenerator<string, void> {
  const set = () => alarms.map(({ afterMs, ring }) => setTimeout(ring, afterMs));
  let timers = set();
  const clear = (): void => timers.forEach((timer) => clearTimeout(timer));
  try {
    for await (const line of lines) {
      clear();
      yield line;
      timers = set();
    }
  } finally {
    clear();
  }
}

/** Reads no further than its reader has come, so that a slow reader holds the helper back. Ends where the input breaks. */
async function* linesOf(input: Readable): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  let held: string[] = [];
  try {
    for await (const chunk of input as AsyncIterable<Buffer>) {
      const [first = '', ...rest] = decoder.decode(chunk, { stream: true }).split('\n');
      held.push(first);
      for (const next of rest) {
        yield held.join('');
        held = [next];
      }
    }
  } catch {
    return;
  }
}

function parseAnswer(line: string, harmless: boolean): Answer {
  try {
    return JSON.parse(line) as Answer;
  } catch (cause) {
    throw lost('helper.protocol.malformed', harmless, cause);
  }
}

/** The request went out and no answer came back: nobody here knows what was done, unless there was nothing to do. */
function lost(key: string, harmless: boolean, cause?: unknown): HelperError {
  const detail = cause instanceof Error ? cause.message : '';
  return new HelperError({ stage: 'run', key, values: {}, detail, restored: harmless }, { cause });
}

/** The request never went out. */
export function failure(stage: HelperStage, key: string, cause?: unknown): HelperError {
  const detail = cause instanceof Error ? cause.message : '';
  return new HelperError({ stage, key, values: {}, detail, restored: true }, { cause });
}
