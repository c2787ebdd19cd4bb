/** What the console shows when a page cannot be shown: never anything internal, always what to do now. */
import type { ErrorRequestHandler, RequestHandler } from 'express';
import type { Brand, Log } from '../../contract.js';
import { ConflictError, NotFoundError } from '../../errors.js';
import type { Frame } from './frame.js';
import { HttpError, type HttpReason } from './http-error.js';

export const notFound: RequestHandler = (_req, _res, next) => next(new HttpError(404, 'missing'));

/** Translates errors into pages; whatever is not foreseen is a 500 with the request's id, the rest in the log. */
export function problemPages(frame: Frame, brand: Brand, log: Log): ErrorRequestHandler {
  return (error: unknown, req, res, next) => {
    if (res.headersSent) {
      next(error);
      return;
    }
    const { status, reason } = describe(error);
    const request = typeof req.id === 'string' ? req.id : '';
    if (status === 500) log.error({ err: error, request }, 'a request failed');
    const t = frame.translator(req);
    frame.page(
      req,
      res,
      { view: 'problem', title: t(`console.problem.${reason}.title`), status, failed: true },
      {
        text: t(`console.problem.${reason}.text`),
        request: status === 500 ? request : '',
        support: status === 500 ? brand.support : '',
      },
    );
  };
}

function describe(error: unknown): { status: number; reason: HttpReason | 'conflict' | 'ours' } {
  if (error instanceof HttpError) return error;
  if (error instanceof NotFoundError) return { status: 404, reason: 'missing' };
  if (error instanceof ConflictError) return { status: 409, reason: 'conflict' };
  // Errors of Express' own body parser carry the answer they deserve.
  const status = (error as { status?: unknown }).status;
  if (status === 413) return { status, reason: 'tooLarge' };
  if (status === 400 || status === 415) return { status, reason: 'unreadable' };
  return { status: 500, reason: 'ours' };
}
