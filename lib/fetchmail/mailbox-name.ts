/** Folder names on the wire: printable ASCII, all else in modified UTF-7 (RFC 3501 5.1.3). */

/** `Entwürfe` is `Entw&APw-rfe`. */
export function encodeMailboxName(name: string): string {
  return name.replace(/&|[^\x20-\x7e]+/gu, (run) => (run === '&' ? '&-' : encodeRun(run)));
}

function encodeRun(run: string): string {
  const bytes = Buffer.from(run, 'utf16le').swap16();
  const base64 = bytes.toString('base64').replace(/=+$/, '').replaceAll('/', ',');
  return `&${base64}-`;
}
