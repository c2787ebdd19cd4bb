/**
 * `Cache-Control` of every page: it holds what only the signed-in person may see, and tells how things are right now.
 * `no-cache` says nothing new (RFC 9111 5.2.2), but it alone keeps lynx from showing the page of a minute ago.
 */
export const NEVER_STORED = 'no-store, no-cache';
