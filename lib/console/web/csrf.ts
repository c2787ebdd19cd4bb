/**
 * Refuses changes that another site's page makes a browser send: by where the request comes from, and by a token that
 * only our own pages know. Both must be right; a browser or text browser that says nothing about the origin needs the token.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
import { HttpError } from './http-error.js';
import { cookieOptions, readCookie } from './cookies.js';

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);
const GUEST_PATTERN = /^[A-Za-z0-9_-]{22}$/;
const GUEST_BYTES = 16;

export interface Csrf {
  /** Gives every browser the cookie that its token hangs on until it has a session. */
  readonly prepare: RequestHandler;
  /** 403 for changes from another site or without the token. */
  readonly check: RequestHandler;
  /** What is wrong with a change; null when nothing is. */
  problem(req: Request): CsrfProblem | null;
  token(req: Request): string;
}

export type CsrfProblem = 'origin' | 'token';

/** Where a request comes from, as far as the browser says. */
export type Origin = 'ours' | 'foreign' | 'unknown';

const guests = new WeakMap<Request, string>();

export function createCsrf(secret: Buffer, cookieName: string): Csrf {
  const token = (req: Request): string => {
    const bound =
      req.session.passport?.user === undefined
        ? `guest:${guests.get(req) ?? ''}:${req.user?.id ?? ''}`
        : `session:${req.sessionID}`;
    return createHmac('sha256', secret).update(`csrf:${bound}`).digest('base64url');
  };

  const problem = (req: Request): CsrfProblem | null => {
    if (SAFE_METHODS.has(req.method)) return null;
    if (originOf(req) === 'foreign') return 'origin';
    return equal(givenToken(req), token(req)) ? null : 'token';
  };

  return {
    token,

    prepare(req, res, next) {
      const known = readCookie(req, cookieName);
      if (known !== null && GUEST_PATTERN.test(known)) {
        guests.set(req, known);
      } else {
        const made = randomBytes(GUEST_BYTES).toString('base64url');
        guests.set(req, made);
        res.cookie(cookieName, made, cookieOptions(req));
      }
      next();
    },

    problem,

    check(req, _res, next) {
      const wrong = problem(req);
      next(wrong === null ? undefined : new HttpError(403, wrong));
    },
  };
}

/**
 * What the browser tells about the page that made this request (`Sec-Fetch-Site`, `Origin`, `Referer`).
 * `Sec-Fetch-*` is missing on plain-http LAN addresses; text browsers send at most a Referer.
 */
export function originOf(req: Request): Origin {
  const site = req.get('sec-fetch-site');
  if (site !== undefined) return site === 'same-origin' || site === 'none' ? 'ours' : 'foreign';
  const origin = req.get('origin');
  if (origin !== undefined) return hostOf(origin) === req.host ? 'ours' : 'foreign';
  const referer = req.get('referer');
  if (referer === undefined || referer === '') return 'unknown';
  return hostOf(referer) === req.host ? 'ours' : 'foreign';
}

function hostOf(url: string): string | null {
  try {
    return new URL(url).host;
  } catch {
    return null;
  }
}

function givenToken(req: Request): string {
  const body = req.body as Record<string, unknown> | undefined;
  const field = body?.['_csrf'];
  return typeof field === 'string' ? field : (req.get('x-csrf-token') ?? '');
}

function equal(given: string, expected: string): boolean {
  const a = Buffer.from(given);
  const b = Buffer.from(expected);
  return a.length === b.length && timingSafeEqual(a, b);
}
