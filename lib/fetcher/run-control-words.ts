/** Reads back a word that `renderRunControl` wrote: the fetcher must know a password to be able to star it. */

/** The quoted word after a keyword; '' when there is none. */
export function readWord(runControl: string, keyword: 'password' | 'user' | 'via'): string {
  const word = new RegExp(`\\b${keyword} "([^"]*)"`).exec(runControl)?.[1] ?? '';
  const bytes = word.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(parseInt(hex, 16)),
  );
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
