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

/** The name of a folder as people read it; null for what nobody would have written on the wire. */
export function decodeMailboxName(wire: string): string | null {
  const name = wire.replace(/&([A-Za-z0-9+,]*)-/g, (_, run: string) =>
    run === '' ? '&' : decodeRun(run),
  );
  return encodeMailboxName(name) === wire ? name : null;
}

function decodeRun(run: string): string {
  const bytes = Buffer.from(run.replaceAll(',', '/'), 'base64');
  return bytes.length % 2 === 0 ? bytes.swap16().toString('utf16le') : '';
}
