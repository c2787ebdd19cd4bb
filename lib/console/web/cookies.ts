/** The few cookies the console reads itself; the session's own is express-session's business. */
import type { Request } from 'express';

/** A cookie's value; null when it is missing or not decodable. The first of that name wins (RFC 6265, 5.4). */
export function readCookie(req: Request, name: string): string | null {
  for (const part of (req.headers.cookie ?? '').split(';')) {
    const at = part.indexOf('=');
    if (at < 0 || part.slice(0, at).trim() !== name) continue;
    try {
      return decodeURIComponent(part.slice(at + 1).trim());
    } catch {
      return null;
    }
  }
  return null;
}

/** `Secure` follows the request: the console is also used on plain-http networks. */
export function cookieOptions(req: Request) {
  return { httpOnly: true, sameSite: 'lax', secure: req.secure, path: '/' } as const;
}
