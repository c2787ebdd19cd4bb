/** Reads back words that `renderRunControl` wrote: the fetcher must know a password to be able to star it. */
import { PEOPLE_LINE } from '../fetchmail/run-control.js';

/** The quoted word after a keyword; '' when there is none. */
export function readWord(runControl: string, keyword: 'password' | 'user' | 'via'): string {
  const word = new RegExp(`\\b${keyword} "([^"]*)"`).exec(runControl)?.[1] ?? '';
  return plain(word);
}

/** The addresses of those who get it, as far as they are here. */
export function readPeople(runControl: string): readonly string[] {
  const line = runControl.split('\n').find((one) => one.startsWith(`${PEOPLE_LINE} `)) ?? '';
  return [...line.matchAll(/"([^"]*)"/g)].map(([, word = '']) => plain(word));
}

function plain(word: string): string {
  const bytes = word.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(parseInt(hex, 16)),
  );
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
