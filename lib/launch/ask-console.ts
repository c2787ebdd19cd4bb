/** Root's questions to the running console, over the socket in its state folder (`lib/console/control.ts`). */
import { request } from 'node:http';
import { LaunchError } from './arguments.js';

/** Milliseconds. */
const TIMEOUT_MS = 60_000;

/** The answer as data. Throws a `LaunchError` when the console does not run or cannot do it. */
export function askConsole(
  socketPath: string,
  method: 'GET' | 'POST',
  path: string,
  body = '',
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath, method, path, timeout: TIMEOUT_MS }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => {
        const { statusCode = 0 } = response;
        const text = Buffer.concat(chunks).toString('utf8');
        if (statusCode === 200) resolve(JSON.parse(text));
        else if (statusCode === 404) reject(new LaunchError('the console knows nothing of that'));
        else reject(new LaunchError('the console could not do it; its log says why'));
      });
    });
    asking.once('timeout', () => asking.destroy(new LaunchError('the console does not answer')));
    asking.once('error', (cause) => {
      const away = 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ECONNREFUSED');
      reject(away ? new LaunchError('the console does not run', { cause }) : cause);
    });
    asking.end(body);
  });
}
