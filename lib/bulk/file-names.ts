/** Names and types of attached files. Pure. */

/** Longest name, in characters. */
const MAX_NAME_CHARS = 120;
/** Control characters, what turns the direction of writing, and what file systems do not like. */
const STRANGE =
  // eslint-disable-next-line no-control-regex -- control characters are what this takes out
  /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069"<>|:*?]/g;

/** Without folders and signs that mean something to anybody. */
export function plainName(fileName: string): string {
  const base = fileName.split(/[/\\]/).at(-1) ?? '';
  const plain = base.replace(STRANGE, '_').replace(/^\.+/, '');
  return plain.slice(0, MAX_NAME_CHARS) || 'file';
}

const TYPES: Readonly<Record<string, string>> = {
  pdf: 'application/pdf',
  txt: 'text/plain',
  csv: 'text/csv',
  ics: 'text/calendar',
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  zip: 'application/zip',
  odt: 'application/vnd.oasis.opendocument.text',
  ods: 'application/vnd.oasis.opendocument.spreadsheet',
  docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
};

/** By the ending of its name; bytes without a meaning where that says nothing. */
export function typeOf(fileName: string): string {
  const ending = /\.([A-Za-z0-9]{1,8})$/.exec(fileName)?.[1]?.toLowerCase() ?? '';
  return TYPES[ending] ?? 'application/octet-stream';
}
