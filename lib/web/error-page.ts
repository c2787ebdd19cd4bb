/**
 * What a page says when it cannot do its work: in words, and what to do now. Nothing internal leaves the house.
 */
import { randomUUID } from 'node:crypto';
import type { ErrorRequestHandler, Request } from 'express';
import { ConflictError, HelperError, isDiskFull, NotFoundError, UserError } from '../errors.js';
import type { Translator } from '../i18n.js';
import { requestFailed } from './helper-notices.js';
import type { Notice } from './notice.js';
import type { Web } from './web.js';

interface Answer {
  readonly status: number;
  readonly notice: Notice;
}

/** Errors of connections to the database: PostgreSQL's classes 08, 53 and 57, the driver's and Knex' own. */
const DATABASE_AWAY = /^(?:08...|53...|57...|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT)$/;

/** Turns whatever a route threw into a page. Refusals of the host (401, 403) go on to the host. */
export function errorPages(web: Web): ErrorRequestHandler {
  const { host, pages } = web;
  return (error: unknown, req, res, next) => {
    if (res.headersSent || host.user(req) === null || belongsToHost(error)) {
      next(error);
      return;
    }
    const t = pages.translator(req);
    const known = answerFor(t, error, web.has);
    const answer = known ?? unforeseen(web, t, req, error);
    const { notice, status } = answer;
    pages.page(
      req,
      res,
      { view: 'errors/index', title: notice.title, menu: '', status, failed: true },
      { notices: [{ ...notice, focus: true }] },
    );
  };
}

function belongsToHost(error: unknown): boolean {
  const { status } = (error ?? {}) as { status?: unknown };
  return status === 401 || status === 403;
}

function answerFor(t: Translator, error: unknown, has: (key: string) => boolean): Answer | null {
  if (error instanceof UserError) {
    const points = error.problems.map(({ key, values }) => t(key, values));
    return { status: 422, notice: { ...plain(t, 'invalid'), points } };
  }
  if (error instanceof NotFoundError) return { status: 404, notice: plain(t, 'missing') };
  if (error instanceof ConflictError) return { status: 409, notice: plain(t, 'conflict') };
  if (error instanceof HelperError) {
    return { status: 502, notice: requestFailed(t, error.toFailure(), has) };
  }
  if (isDiskFull(error)) return { status: 503, notice: plain(t, 'diskFull') };
  const { status, code, name } = (error ?? {}) as Record<string, unknown>;
  if (status === 413) return { status, notice: plain(t, 'tooLarge') };
  if (status === 400 || status === 415) return { status, notice: plain(t, 'unreadable') };
  if (name === 'KnexTimeoutError' || (typeof code === 'string' && DATABASE_AWAY.test(code))) {
    return { status: 503, notice: plain(t, 'database') };
  }
  return null;
}

function plain(t: Translator, reason: string): Notice {
  return {
    kind: reason === 'missing' ? 'off' : 'bad',
    title: t(`error.${reason}.title`),
    paragraphs: [t(`error.${reason}.text`)],
  };
}

/** Our own fault: the log has the whole of it, the page its number. */
function unforeseen({ host }: Web, t: Translator, req: Request, error: unknown): Answer {
  const given = (req as { id?: unknown }).id;
  const request = typeof given === 'string' || typeof given === 'number' ? given : randomUUID();
  host.log.error({ err: error, request }, 'a request failed');
  const { support } = host.brand;
  const title = t('error.ours.title');
  const paragraphs = [t('error.ours.text', { request: String(request), support })];
  return { status: 500, notice: { kind: 'bad', title, paragraphs } };
}
