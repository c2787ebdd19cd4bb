const ANYWHERE = 'http://console.invalid';
const MAX_LENGTH = 2000;

/**
 * The path, if it leads to a page of this console, else the fallback. Refuses everything a browser could take for
 * another host: `//host`, `/\host`, schemes, control characters.
 */
export function localPath(path: unknown, fallback: string): string {
  if (typeof path !== 'string' || path.length > MAX_LENGTH) return fallback;
  // eslint-disable-next-line no-control-regex
  if (!path.startsWith('/') || /^\/[/\\]|[\u0000-\u001f\u007f\\]/.test(path)) return fallback;
  let url: URL;
  try {
    url = new URL(path, ANYWHERE);
  } catch {
    return fallback;
  }
  if (url.origin !== ANYWHERE || url.pathname.startsWith('//')) return fallback;
  return url.pathname + url.search;
}
