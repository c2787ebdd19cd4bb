/** Takes the person's login from a header that a reverse proxy sets, on a socket that only the proxy can open. */
import type { RequestHandler } from 'express';
import type { AccountService } from '../accounts/service.js';
import { HttpError } from '../web/http-error.js';

/** Every request speaks for itself: no session, and a header that is missing or names a stranger is nobody. */
export function trustedHeader(header: string, accounts: AccountService): RequestHandler {
  return async (req, _res, next) => {
    const login = req.headers[header];
    if (typeof login === 'string' && login !== '') {
      const account = await accounts.findActiveByLogin(login.trim().toLowerCase());
      if (account !== null) req.user = account;
    }
    next();
  };
}

/** Instead of a sign-in page: signing in is the proxy's business, a right to be here the administrator's. */
export const strangerPage: RequestHandler = (_req, _res, next) =>
  next(new HttpError(403, 'stranger'));
