/** Forms with a file in them (`multipart/form-data`, RFC 7578): every part as text, the file's content too. */
import { RequestError } from './request-error.js';

/** Largest form with a file, in bytes. What is longer loses its last part, which is marked. */
export const MAX_UPLOAD_BYTES = 33 * 1024 * 1024;
const MAX_PARTS = 100;
const MAX_HEADER_BYTES = 4_096;

const NEWLINE = Buffer.from('\r\n');
const HEADER_END = Buffer.from('\r\n\r\n');

/** What stands in a form beside a part that was cut off: `<name>.tooLarge`. */
export function tooLargeField(name: string): string {
  return `${name}.tooLarge`;
}

/** The boundary of such a body; null when it is none. */
export function boundaryOf(contentType: string): string | null {
  const match =
    /^multipart\/form-data\s*;.*?\bboundary=(?:"([^"\r\n]{1,70})"|([^\s;"]{1,70}))/i.exec(
      contentType,
    );
  return match?.[1] ?? match?.[2] ?? null;
}

/** Name and value pairs in their order. Throws `RequestError` 400 for a body that is none. */
export function parseMultipart(
  body: Buffer,
  boundary: string,
  cut: boolean,
): readonly (readonly [name: string, value: string])[] {
  const delimiter = Buffer.from(`--${boundary}`);
  const fields: (readonly [string, string])[] = [];
  let start = body.indexOf(delimiter);
  if (start < 0) throw new RequestError(400);
  for (;;) {
    const after = start + delimiter.length;
    if (body.subarray(after, after + 2).toString('latin1') === '--') return fields;
    const headerEnd = body.indexOf(HEADER_END, after);
    const header = body.subarray(after, headerEnd < 0 ? body.length : headerEnd);
    if (headerEnd < 0 || header.length > MAX_HEADER_BYTES || fields.length >= MAX_PARTS) {
      if (cut) return fields;
      throw new RequestError(400);
    }
    const name = nameIn(header.toString('utf8'));
    const next = body.indexOf(Buffer.concat([NEWLINE, delimiter]), headerEnd + HEADER_END.length);
    if (next < 0) {
      if (!cut) throw new RequestError(400);
      return [...fields, [tooLargeField(name), 'yes']];
    }
    fields.push([name, body.subarray(headerEnd + HEADER_END.length, next).toString('utf8')]);
    start = next + NEWLINE.length;
  }
}

function nameIn(header: string): string {
  const disposition = /^content-disposition:\s*form-data\b(.*)$/im.exec(header)?.[1];
  const name = /;\s*name="([^"\r\n]*)"/i.exec(disposition ?? '')?.[1];
  if (name === undefined) throw new RequestError(400);
  return name;
}
