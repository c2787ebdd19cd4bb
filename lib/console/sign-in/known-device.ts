/**
 * Remembers that a browser has signed in to an account before, so that a stranger who guesses at the account's password
 * does not lock its owner out: a known browser has attempts of its own.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Request, Response } from 'express';
import { cookieOptions, readCookie } from '../web/cookies.js';

const LIFETIME_MS = 365 * 24 * 60 * 60 * 1000;
const ID_BYTES = 16;
const SHAPE = /^([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})$/;

export interface KnownDevices {
  /** Identity of the browser when it has signed in as `login` before, else null. */
  of(req: Request, login: string): string | null;
  remember(req: Request, res: Response, login: string): void;
}

/** The cookie holds a random id and its seal for one account; the last account a browser signed in to counts. */
export function createKnownDevices(secret: Buffer, cookieName: string): KnownDevices {
  const seal = (id: string, login: string): Buffer =>
    createHmac('sha256', secret).update(`device:${id}:${login}`).digest();
  return {
    of(req, login) {
      const match = SHAPE.exec(readCookie(req, cookieName) ?? '');
      const [, id = '', given = ''] = match ?? [];
      if (id === '') return null;
      return timingSafeEqual(Buffer.from(given, 'base64url'), seal(id, login)) ? id : null;
    },
    remember(req, res, login) {
      const id = this.of(req, login) ?? randomBytes(ID_BYTES).toString('base64url');
      const value = `${id}.${seal(id, login).toString('base64url')}`;
      res.cookie(cookieName, value, { ...cookieOptions(req), maxAge: LIFETIME_MS });
    },
  };
}
