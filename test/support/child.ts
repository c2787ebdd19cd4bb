import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { until } from './wait.js';

export interface Child {
  readonly process: ChildProcess;
  /** The lines it wrote to stdout so far, the last one only when it is complete. */
  lines(): string[];
  errors(): string;
  /** Resolves when a line on stdout is `text`. Rejects when the process ends before. */
  saying(text: string): Promise<void>;
  /** Resolves when it has ended, with its exit code and signal. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** Starts a program of `test/support` in a process of its own. */
export function startChild(program: string, args: readonly string[]): Child {
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL(program, import.meta.url)), ...args],
    { stdio: ['ignore', 'pipe', 'pipe'], env: {} },
  );
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  let over = false;
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('close', (code, signal) => {
      over = true;
      resolve({ code, signal });
    });
  });
  const lines = () => output.split('\n').slice(0, -1);
  return {
    process: child,
    lines,
    errors: () => errors,
    saying: async (text) => {
      await until(`the process to say ${text}`, () => {
        if (over && !lines().includes(text)) throw new Error(`it ended: ${errors}`);
        return lines().includes(text);
      });
    },
    ended,
  };
}
