/** The thread of the watchdog: kills the process when its main thread has shown no sign of life for too long. */
import { writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

const { silentSeconds } = workerData as { silentSeconds: number };

let silent = 0;
parentPort?.on('message', () => {
  silent = 0;
});
setInterval(() => {
  silent += 1;
  if (silent < silentSeconds) return;
  writeSync(2, `{"level":60,"msg":"the embedded database hangs: killing this process"}\n`);
  process.kill(process.pid, 'SIGKILL');
}, 1000);
