/** Programs that run as long as this process does. */
import { onStop } from './stop.js';
import {
  startSupervised,
  type ProgramStart,
  type Ready,
  type SupervisedProcess,
} from './supervised-process.js';

/**
 * Starts the programs, calls `ready` with what each of them said, and keeps them running. Resolves with the exit code
 * when all have ended: after a signal, or because one of them could not be kept up. The last one is stopped first.
 */
export async function runUntilStopped(
  programs: readonly ProgramStart[],
  ready: (said: readonly Ready[]) => Promise<void>,
): Promise<number> {
  let settle: (code: number) => void = () => undefined;
  const stopped = new Promise<number>((resolve) => {
    settle = resolve;
  });
  onStop(() => settle(0));
  const supervision = {
    onRestart: () => undefined,
    onGivenUp: (reason: Error) => {
      process.stderr.write(`mailserver: ${reason.message}\n`);
      settle(1);
    },
  };
  const running: SupervisedProcess[] = [];
  try {
    for (const program of programs) running.push(await startSupervised(program, supervision));
    await ready(running.map((one) => one.ready));
    return await stopped;
  } finally {
    for (const one of running.reverse()) await one.stop();
  }
}
