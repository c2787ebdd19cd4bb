/**
 * Reads the body of a form (`application/x-www-form-urlencoded`) into plain strings. A host that has parsed the body
 * already is left alone; one that has not may use this handler too.
 */
import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import { RequestError } from './request-error.js';

/** Largest form, in bytes. A value that is too long for its field must still arrive, so that the field can be named. */
export const MAX_FORM_BYTES = 2 * 1024 * 1024;
/** How much of a larger body is read and thrown away, so that the sender gets the answer. Bytes. */
const MAX_DRAINED_BYTES = 16 * 1024 * 1024;
/** Most fields in a form, repeated names counted each time. */
export const MAX_FORM_FIELDS = 2_000;

/** Every field as a string, or as strings when its name came more than once. */
export type FormBody = Readonly<Record<string, string | readonly string[]>>;

/**
 * Sets `req.body` for forms. Bytes that are no UTF-8 become U+FFFD, which the fields refuse by name.
 * Fails with `RequestError` 413 for too much, 415 for another type of body.
 */
export function formBody(): RequestHandler {
  return async (req, _res, next) => {
    if (req.body !== undefined || !hasBody(req)) {
      next();
      return;
    }
    if (req.is('application/x-www-form-urlencoded') === false) throw new RequestError(415);
    req.body = parseForm(await readAll(req));
    next();
  };
}

/** Parses `a=1&b=2`. Throws `RequestError` 413 when there are too many fields. */
export function parseForm(text: string): FormBody {
  const fields = new Map<string, string[]>();
  let count = 0;
  for (const pair of text.split('&')) {
    if (pair === '') continue;
    count += 1;
    if (count > MAX_FORM_FIELDS) throw new RequestError(413);
    const split = pair.indexOf('=');
    const name = decode(split < 0 ? pair : pair.slice(0, split));
    const value = split < 0 ? '' : decode(pair.slice(split + 1));
    const known = fields.get(name);
    if (known === undefined) fields.set(name, [value]);
    else known.push(value);
  }
  const body: Record<string, string | string[]> = Object.create(null) as Record<string, string>;
  for (const [name, values] of fields) body[name] = values.length === 1 ? values.join('') : values;
  return body;
}

function hasBody(req: IncomingMessage): boolean {
  return (
    req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length']) > 0
  );
}

/** Resolves with the body as Latin-1 text: one character a byte, as percent-decoding needs it. */
async function readAll(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_DRAINED_BYTES) break;
    if (size <= MAX_FORM_BYTES) chunks.push(chunk);
  }
  if (size > MAX_FORM_BYTES) throw new RequestError(413);
  return Buffer.concat(chunks).toString('latin1');
}

/** Percent-decoding (URL standard, application/x-www-form-urlencoded) of Latin-1 text into UTF-8. */
function decode(part: string): string {
  const bytes = part
    .replaceAll('+', ' ')
    .replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
