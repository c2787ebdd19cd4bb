/** Runs the native tools: absolute path, argument array, clean environment, limits. Never a shell. */
import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';

/** What a tool may print before it is ended, in bytes. */
const MAX_OUTPUT_BYTES = 8 * 1024 * 1024;

/** How long a tool may take when the caller sets no limit, in milliseconds. */
const DEFAULT_TIMEOUT_MS = 30_000;

/** All that a native tool gets to see of our environment. */
export const CLEAN_ENVIRONMENT: NodeJS.ProcessEnv = {
  PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C.UTF-8',
  HOME: '/root',
};

export interface NativeResult {
  /** Exit status; null when the tool was ended by a signal or by our limits. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
}

export interface NativeOptions {
  readonly input?: string | Buffer | Iterable<string>;
  /** Gets what the tool prints, chunk by chunk and without a limit; `stdout` of the result is then empty. */
  readonly onStdout?: (chunk: Buffer) => void;
  readonly timeoutMs?: number;
  readonly cwd?: string;
  readonly environment?: NodeJS.ProcessEnv;
  /** Ends it, and all it started. */
  readonly signal?: AbortSignal;
}

/**
 * Runs a tool to its end. Resolves whatever its exit status; rejects only when it cannot be started.
 * Waits for the process, not for its pipes: a daemon that keeps them open does not hold us up.
 */
export function runNative(
  program: string,
  args: readonly string[],
  options: NativeOptions = {},
): Promise<NativeResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      env: options.environment ?? CLEAN_ENVIRONMENT,
      cwd: options.cwd ?? '/',
      // A group of its own, so that what a script started ends with it.
      detached: true,
    });
    const stdout = options.onStdout
      ? pass(child.stdout as Readable, options.onStdout)
      : collect(child.stdout as Readable, () => killGroup(child.pid));
    const stderr = collect(child.stderr as Readable, () => killGroup(child.pid));
    const end = (): void => killGroup(child.pid);
    options.signal?.addEventListener('abort', end, { once: true });
    if (options.signal?.aborted) end();
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      killGroup(child.pid);
    }, options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    const finish = (code: number | null): void => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', end);
      child.stdout?.destroy();
      child.stderr?.destroy();
      resolve({ code, stdout: stdout(), stderr: stderr(), timedOut });
    };
    child.once('exit', (code) => {
      const late = setTimeout(() => finish(code), 200);
      child.once('close', () => {
        clearTimeout(late);
        finish(code);
      });
    });
    if (child.stdin && options.input !== undefined) {
      child.stdin.on('error', () => undefined);
      feed(child.stdin, options.input);
    }
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

function feed(stdin: NodeJS.WritableStream, input: string | Buffer | Iterable<string>): void {
  if (typeof input === 'string' || Buffer.isBuffer(input)) {
    stdin.end(input);
    return;
  }
  const iterator = input[Symbol.iterator]();
  const pump = (): void => {
    for (;;) {
      const next = iterator.next();
      if (next.done) {
        stdin.end();
        return;
      }
      if (!stdin.write(next.value)) {
        stdin.once('drain', pump);
        return;
      }
    }
  };
  pump();
}

function pass(stream: Readable, onChunk: (chunk: Buffer) => void): () => string {
  stream.on('data', onChunk);
  stream.on('error', () => undefined);
  return () => '';
}

function collect(stream: Readable, tooMuch: () => void): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_OUTPUT_BYTES) {
      tooMuch();
      return;
    }
    chunks.push(chunk);
  });
  stream.on('error', () => undefined);
  return () => Buffer.concat(chunks).toString('utf8');
}
