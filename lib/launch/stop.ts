/** When a program in the foreground has to stop. */

/** How often to look whether npm is still there, in milliseconds. */
const LOOK_MS = 1_000;

/**
 * Calls back when somebody asks this process to end: SIGTERM, Ctrl-C, a closed terminal. Also when npm, which started
 * it and would have told it, was killed.
 */
export function onStop(stop: () => void): void {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, stop);
  if (process.env['npm_lifecycle_event'] !== 'start') return;
  const npm = process.ppid;
  const look = setInterval(() => {
    if (process.ppid === npm) return;
    clearInterval(look);
    stop();
  }, LOOK_MS);
  look.unref();
}
