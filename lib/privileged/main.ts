/** The privileged helper: one request on stdin, JSON lines on stdout, then the end. Keeps nothing between requests. */
import { parseArgs } from 'node:util';
import { HelperError, type HelperFailure } from '../errors.js';
import { loadAction } from './actions/index.js';
import type { Action, ActionContext } from './actions/action.js';
import { audit } from './audit.js';
import { pathsBelow, type Paths } from './paths.js';
import type { Answer, Request } from './protocol.js';
import { readRequestStream } from './request-stream.js';

async function main(): Promise<void> {
  process.umask(0o077);
  const { values } = parseArgs({ options: { root: { type: 'string' } } });
  const paths = pathsBelow(values.root ?? null);
  const stream = readRequestStream(process.stdin);
  const started = performance.now();
  let request: Request | null = null;
  let action: Action | null = null;
  try {
    request = await stream.request();
    action = await loadAction(request.action);
    if (action === null) throw refused('protocol', 'helper.protocol.action', '');
    const result = await perform(action, request, {
      paths,
      registry: async () => (await import('../sections/index.js')).sections,
      signal: stream.signal,
      items: stream.items,
      progress: (progress) => say({ progress }),
      taken,
    });
    if (!action.quiet) {
      await record(paths, action, request, 'done', performance.now() - started);
    }
    say({ result });
  } catch (error) {
    const failure = failureOf(error);
    const outcome = `${failure.stage} ${failure.key}`;
    const ms = performance.now() - started;
    await record(paths, action, request, outcome, ms).catch(() => undefined);
    say({ error: failure });
  }
}

async function perform(action: Action, request: Request, context: ActionContext): Promise<unknown> {
  const checked = action.params.validate(request.params, { convert: false });
  if (checked.error) {
    const where = checked.error.details[0]?.path.join('.') ?? '';
    throw refused('validate', 'helper.validate.params', where);
  }
  const limit = setTimeout(() => {
    say({ error: refused('run', 'helper.run.timeout', '').toFailure() });
    process.exit(1);
  }, action.timeoutMs);
  try {
    return await action.run(checked.value, context);
  } finally {
    clearTimeout(limit);
  }
}

/** Whatever was changed, or refused, is logged; so is a look at somebody's mail. */
async function record(
  paths: Paths,
  action: Action | null,
  request: Request | null,
  result: string,
  ms: number,
): Promise<void> {
  const params = action?.redact ? redacted(action, request) : {};
  await audit(paths, {
    actor: request?.actor ?? '',
    action: (request?.action ?? '').slice(0, 64),
    params,
    result,
    ms: Math.round(ms),
  });
}

function redacted(action: Action, request: Request | null): unknown {
  try {
    return action.redact?.(request?.params as never);
  } catch {
    return {};
  }
}

function failureOf(error: unknown): HelperFailure {
  if (error instanceof HelperError) return error.toFailure();
  process.stderr.write(
    `${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  return refused(
    'run',
    'helper.run.failed',
    error instanceof Error ? error.message : '',
  ).toFailure();
}

function refused(stage: 'protocol' | 'validate' | 'run', key: string, detail: string): HelperError {
  return new HelperError({ stage, key, values: {}, detail, restored: true });
}

function say(answer: Answer): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

function taken(): Promise<void> {
  const { stdout } = process;
  if (!stdout.writableNeedDrain) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      stdout.off('drain', done).off('close', done);
      resolve();
    };
    stdout.on('drain', done).on('close', done);
  });
}

process.stdout.on('error', () => undefined);
await main();
process.stdin.destroy();
