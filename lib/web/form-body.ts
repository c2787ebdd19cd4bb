/**
 * Reads the body of a form (`application/x-www-form-urlencoded`, or `multipart/form-data` with files in it as bytes) into
 * plain strings. A host that has parsed the body
 * already is left alone; one that has not may use this handler too.
 */
import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import { boundaryOf, MAX_UPLOAD_BYTES, parseMultipart, type UploadedFile } from './multipart.js';
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
    const boundary = boundaryOf(req.headers['content-type'] ?? '');
    if (boundary !== null) {
      const { bytes, cut } = await readBody(req, MAX_UPLOAD_BYTES);
      req.body = bodyOf(parseMultipart(bytes, boundary, cut));
      next();
      return;
    }
    if (req.is('application/x-www-form-urlencoded') === false) throw new RequestError(415);
    const { bytes, cut } = await readBody(req, MAX_FORM_BYTES);
    if (cut) throw new RequestError(413);
    req.body = parseForm(bytes.toString('latin1'));
    next();
  };
}

/** Parses `a=1&b=2`. Throws `RequestError` 413 when there are too many fields. */
export function parseForm(text: string): FormBody {
  const pairs = text.split('&').filter((pair) => pair !== '');
  if (pairs.length > MAX_FORM_FIELDS) throw new RequestError(413);
  return bodyOf(
    pairs.map((pair) => {
      const split = pair.indexOf('=');
      const name = decode(split < 0 ? pair : pair.slice(0, split));
      return [name, split < 0 ? '' : decode(pair.slice(split + 1))] as const;
    }),
  );
}

function bodyOf<Value extends string | UploadedFile>(
  pairs: readonly (readonly [name: string, value: Value])[],
): Readonly<Record<string, Value | readonly Value[]>> {
  const fields = new Map<string, Value[]>();
  for (const [name, value] of pairs) {
    const known = fields.get(name);
    if (known === undefined) fields.set(name, [value]);
    else known.push(value);
  }
  const body = Object.create(null) as Record<string, Value | readonly Value[]>;
  for (const [name, values] of fields) {
    const [first] = values;
    body[name] = values.length === 1 && first !== undefined ? first : values;
  }
  return body;
}

function hasBody(req: IncomingMessage): boolean {
  return (
    req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length']) > 0
  );
}

/** The first `limit` bytes of the body; `cut` when there is more. */
async function readBody(
  req: IncomingMessage,
  limit: number,
): Promise<{ readonly bytes: Buffer; readonly cut: boolean }> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit + MAX_DRAINED_BYTES) break;
    if (size <= limit) chunks.push(chunk);
  }
  return { bytes: Buffer.concat(chunks), cut: size > limit };
}

/** Percent-decoding (URL standard, application/x-www-form-urlencoded) of Latin-1 text into UTF-8. */
function decode(part: string): string {
  const bytes = part
    .replaceAll('+', ' ')
    .replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
