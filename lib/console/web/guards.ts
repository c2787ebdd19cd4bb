/** Who may pass. Closed by default: what is not named for guests needs a signed-in person, every page its role. */
import type { RequestHandler } from 'express';
import type { ConsoleRole } from '../accounts/schema.js';
import { HttpError } from './http-error.js';

export interface Guards {
  /** Lets only signed-in people pass; others are asked to sign in, and what they typed is kept. */
  readonly signedIn: RequestHandler;
  /** 403 for people without the role. */
  role(role: ConsoleRole): RequestHandler;
}

export function createGuards(askToSignIn: RequestHandler): Guards {
  return {
    signedIn(req, res, next) {
      if (req.user === undefined) void askToSignIn(req, res, next);
      else next();
    },
    role: (role) => (req, res, next) => {
      if (req.user === undefined) void askToSignIn(req, res, next);
      else if (req.user.roles.includes(role)) next();
      else next(new HttpError(403, 'role'));
    },
  };
}
