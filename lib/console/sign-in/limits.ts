/**
 * Slows down guessing: by where attempts come from and by whose password is guessed. Only failures count.
 */
import { createHmac } from 'node:crypto';
import type { Request, RequestHandler, Response } from 'express';
import { ipKeyGenerator, rateLimit, type AugmentedRequest } from 'express-rate-limit';
import type { KnownDevices } from './known-device.js';

/** Milliseconds in which failures are counted. */
export const WINDOW_MS = 15 * 60 * 1000;
/** Failed attempts from one address (an IPv6 network counts as one), known browsers left out. */
export const FAILURES_PER_ADDRESS = 30;
/** Failed attempts for one account, from wherever; a browser that has signed in to it before has its own count. */
export const FAILURES_PER_ACCOUNT = 10;

export interface LimitOptions {
  readonly secret: Buffer;
  readonly devices: KnownDevices;
  /** Answers an attempt that came too early; `Retry-After` is set. */
  readonly tooMany: (req: Request, res: Response, minutes: number) => void;
}

/** Both limits, to stand before the password is looked at. */
export function signInLimits({ secret, devices, tooMany }: LimitOptions): RequestHandler[] {
  const limit = (
    count: number,
    keyGenerator: (req: Request) => string,
    skip: (req: Request) => boolean = () => false,
  ): RequestHandler =>
    rateLimit({
      skip,
      windowMs: WINDOW_MS,
      limit: count,
      keyGenerator,
      skipSuccessfulRequests: true,
      standardHeaders: false,
      legacyHeaders: false,
      handler: (req, res) => {
        const until = (req as AugmentedRequest)['rateLimit']?.resetTime?.getTime();
        const left = until === undefined ? WINDOW_MS : until - Date.now();
        res.set('Retry-After', String(Math.max(1, Math.ceil(left / 1000))));
        tooMany(req, res, Math.max(1, Math.ceil(left / 60_000)));
      },
    });
  // Many may share an address (a proxy, a hotel): a browser that signed in before is not shut out by strangers there.
  const known = (req: Request): boolean => devices.of(req, loginOf(req)) !== null;
  return [
    limit(
      FAILURES_PER_ADDRESS,
      (req) => (req.ip === undefined ? 'local' : ipKeyGenerator(req.ip)),
      known,
    ),
    limit(FAILURES_PER_ACCOUNT, (req) => accountKey(secret, devices, req)),
  ];
}

function loginOf(req: Request): string {
  const body = req.body as { username?: unknown } | undefined;
  return typeof body?.username === 'string' ? body.username.trim().toLowerCase() : '';
}

/** A digest: people type passwords into the wrong field, and memory should not keep those. */
function accountKey(secret: Buffer, devices: KnownDevices, req: Request): string {
  const login = loginOf(req);
  return createHmac('sha256', secret)
    .update(`account:${login}:${devices.of(req, login) ?? ''}`)
    .digest('base64url');
}
