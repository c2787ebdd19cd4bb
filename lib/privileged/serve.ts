/** The privileged helper: one request on stdin, JSON lines on stdout, then the end. Keeps nothing between requests. */
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { HelperError, type HelperFailure } from '../errors.js';
import type { SectionRegistry } from '../sections/registry.js';
import { loadAction } from './actions/index.js';
import type { Action, ActionContext } from './actions/action.js';
import { audit, type AuditLogName } from './audit.js';
import { hasCode } from './files.js';
import { pathsBelow, type Paths } from './paths.js';
import { ALIVE_EVERY_MS, type Answer, type Request } from './protocol.js';
import { readRequestStream } from './request-stream.js';

/** How long the other side may take to read the answer before we end without it, in milliseconds. */
const ANSWER_TIMEOUT_MS = 30_000;
/** Longest name of a parameter that is repeated in an answer or in the log. */
const MAX_NAME_LENGTH = 64;

/** Answers the one request of this process, which then ends. */
export async function serve(): Promise<void> {
  process.stdout.on('error', () => undefined);
  // A full disk below the log of a listener costs lines of it, not the answer.
  process.stderr.on('error', () => undefined);
  await answer();
  process.stdin.destroy();
  setTimeout(() => process.exit(1), ANSWER_TIMEOUT_MS).unref();
}

async function answer(): Promise<void> {
  process.umask(0o077);
  const { values } = parseArgs({ options: { root: { type: 'string' } } });
  const paths = pathsBelow(values.root ?? null);
  const stream = readRequestStream(process.stdin);
  const log = auditLog(paths);
  try {
    const request = await stream.request(getReady);
    if (request === null) return;
    log.asks(request);
    const action = await loadAction(request.action);
    if (action === null) throw refused('protocol', 'helper.protocol.action', '');
    const params = checkParams(action, request);
    // A disk that takes no record gets no change, and nobody a look at somebody's mail.
    if (!action.quiet) await log.accepts(action.redact?.(params));
    const result = await perform(action, params, log, {
      paths,
      registry: loadSections,
      signal: stream.signal,
      items: stream.items,
      progress: (progress) => say({ progress }),
      changing: () => log.changing(),
      taken,
    });
    if (!action.quiet) await log.ends('done', action.changes === undefined);
    say({ result });
  } catch (error) {
    const failure = failureOf(error);
    await log.ends(`${failure.stage} ${failure.key}`);
    say({ error: failure });
  }
}

async function loadSections(): Promise<SectionRegistry> {
  return (await import('../sections/index.js')).sections;
}

/** Loads what the action needs, so that it need not be waited for once it is asked for. */
async function getReady(expected: string): Promise<void> {
  const [action] = await Promise.all([loadAction(expected), loadSections()]);
  if (action === null) throw refused('protocol', 'helper.protocol.action', '');
}

function checkParams(action: Action, request: Request): never {
  const checked = action.params.validate(request.params, { convert: false });
  if (checked.error) {
    const where = checked.error.details[0]?.path.join('.') ?? '';
    throw refused('validate', 'helper.validate.params', where.slice(0, MAX_NAME_LENGTH));
  }
  return checked.value;
}

async function perform(
  action: Action,
  params: never,
  log: AuditLog,
  context: ActionContext,
): Promise<unknown> {
  const limit = setTimeout(() => {
    const failure = refused('run', 'helper.run.timeout', '').toFailure();
    say({ error: { ...failure, restored: false } });
    void log.ends(`${failure.stage} ${failure.key}`).then(() => process.exit(1));
  }, action.timeoutMs);
  const alive = setInterval(() => {
    // Whoever does not read has no doubt about us.
    if (!process.stdout.writableNeedDrain) say({ alive: true });
  }, ALIVE_EVERY_MS);
  try {
    return await action.run(params, context);
  } finally {
    clearTimeout(limit);
    clearInterval(alive);
  }
}

interface AuditLog {
  asks(request: Request): void;
  /** It is about to be done, with these parameters. Throws when the disk takes no word of it. */
  accepts(params: unknown): Promise<void>;
  /** From now on something changes. Throws when the disk takes no word of it. */
  changing(): Promise<void>;
  /** What is done is done, even when the disk takes no word of it. */
  ends(result: string, changed?: boolean): Promise<void>;
}

/** Whatever was changed, or refused, is logged; so is a look at somebody's mail. */
function auditLog(paths: Paths): AuditLog {
  const id = randomUUID();
  let started = performance.now();
  let asked: Pick<Request, 'actor' | 'action'> = { actor: '', action: '' };
  let given: { readonly params?: unknown } = {};
  let begun: Promise<void> | null = null;
  const write = (log: AuditLogName, result: string, told: typeof given = {}): Promise<void> => {
    const ms = Math.round(performance.now() - started);
    return audit(paths, log, { id, ...asked, ...told, result, ms });
  };
  const must = (writing: Promise<void>): Promise<void> =>
    writing.catch((cause: unknown) => {
      throw refused('run', 'helper.run.audit', String(cause));
    });
  return {
    asks: ({ actor, action }) => {
      started = performance.now();
      asked = { actor, action: action.slice(0, MAX_NAME_LENGTH) };
    },
    accepts: (params) => {
      given = params === undefined ? {} : { params };
      return must(write('requests', 'asked', given));
    },
    changing: () => (begun ??= must(write('changes', 'begins', given))),
    ends: async (result, changed = false) => {
      const log = begun !== null || changed ? 'changes' : 'requests';
      await write(log, result, begun === null && changed ? given : {}).catch((cause: unknown) => {
        process.stderr.write(`no audit entry "${result}": ${String(cause)}\n`);
      });
    },
  };
}

/** What is no `HelperError` comes from before the journal, or from an action that changes no files. */
function failureOf(error: unknown): HelperFailure {
  if (error instanceof HelperError) return error.toFailure();
  if (hasCode(error, 'ENOSPC')) return noRoom(error as NodeJS.ErrnoException & { dest?: string });
  process.stderr.write(
    `${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  return refused(
    'run',
    'helper.run.failed',
    error instanceof Error ? error.message : '',
  ).toFailure();
}

function noRoom({
  path: from = '',
  dest = from,
  message,
}: NodeJS.ErrnoException & { dest?: string }): HelperFailure {
  const values = { folder: path.dirname(dest) };
  return { stage: 'space', key: 'helper.space.full', values, detail: message, restored: true };
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
