/** Forms with a file in them (`multipart/form-data`, RFC 7578): text fields as strings, files as bytes. */
import { RequestError } from './request-error.js';

/** Largest file, in bytes. */
export const MAX_FILE_BYTES = 32 * 1024 * 1024;
/** Largest form with a file, in bytes; somebody may paste the file instead. What is longer loses its last part, which is marked. */
export const MAX_UPLOAD_BYTES = MAX_FILE_BYTES + 2 * 1024 * 1024;
const MAX_PARTS = 100;
const MAX_HEADER_BYTES = 8 * 1024;

const NEWLINE = Buffer.from('\r\n');
const HEADER_END = Buffer.from('\r\n\r\n');

/** A file of a form. A browser sends one without a name and content when nobody chose any. */
export interface UploadedFile {
  readonly fileName: string;
  readonly bytes: Buffer;
}

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

/** Names and values in their order. Throws `RequestError` 400 for a body that is none. */
export function parseMultipart(
  body: Buffer,
  boundary: string,
  cut: boolean,
): readonly (readonly [name: string, value: string | UploadedFile])[] {
  const delimiter = Buffer.from(`--${boundary}`);
  const fields: (readonly [string, string | UploadedFile])[] = [];
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
    const { name, fileName } = namesIn(header.toString('utf8'));
    const next = body.indexOf(Buffer.concat([NEWLINE, delimiter]), headerEnd + HEADER_END.length);
    if (next < 0) {
      if (!cut) throw new RequestError(400);
      return [...fields, [tooLargeField(name), 'yes']];
    }
    const bytes = body.subarray(headerEnd + HEADER_END.length, next);
    fields.push([name, fileName === null ? bytes.toString('utf8') : { fileName, bytes }]);
    start = next + NEWLINE.length;
  }
}

function namesIn(header: string): { readonly name: string; readonly fileName: string | null } {
  const disposition = /^content-disposition:\s*form-data\b(.*)$/im.exec(header)?.[1] ?? '';
  const name = parameterOf(disposition, 'name');
  if (name === null) throw new RequestError(400);
  return { name, fileName: parameterOf(disposition, 'filename') };
}

function parameterOf(disposition: string, name: string): string | null {
  const match = new RegExp(`;\\s*${name}="((?:[^"\\\\]|\\\\.)*)"`, 'i').exec(disposition);
  return match ? (match[1] ?? '').replaceAll('%22', '"') : null;
}

/** The files of a field that takes several. */
export function uploadedFiles(body: unknown, name: string): readonly UploadedFile[] {
  const given = (body ?? {}) as Readonly<Record<string, unknown>>;
  const value = Object.hasOwn(given, name) ? given[name] : [];
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.filter(
    (one): one is UploadedFile =>
      typeof one === 'object' &&
      one !== null &&
      'bytes' in one &&
      ((one as UploadedFile).bytes.length > 0 || (one as UploadedFile).fileName !== ''),
  );
}

/** The file of a field; null when none was chosen. */
export function uploadedFile(body: unknown, name: string): UploadedFile | null {
  return uploadedFiles(body, name)[0] ?? null;
}
