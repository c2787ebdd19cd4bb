// The token of a session, which every form carries as `_csrf`.
import { Buffer } from 'node:buffer';
import { randomBytes, timingSafeEqual } from 'node:crypto';

export function tokenOf(req) {
  req.session.token ??= randomBytes(24).toString('base64url');
  return req.session.token;
}

/** Refuses what changes something and does not carry the token. */
export function checkToken(req, res, next) {
  if (req.method === 'GET' || req.method === 'HEAD') return next();
  const given = Buffer.from(String(req.body?._csrf ?? ''));
  const known = Buffer.from(tokenOf(req));
  if (given.length === known.length && timingSafeEqual(given, known)) return next();
  return res.status(403).send('This form is not from here, or too old. Open the page anew.');
}
