/** The dialogue smtp(8) had with a server, from what it logs about a debug peer; logins are starred. */

/** `> ` is what we said, `< ` what the server answered. */
const SPOKEN = /^([<>]) \S+?\[[^\]]*\](?::\d+)?: (.*)$/;
const STARS = '***';

/**
 * The lines that were spoken, in order, of the messages of smtp(8). Whatever belongs to a login is starred: from `AUTH`
 * until the server's final answer, in both directions, since a challenge may repeat what was sent.
 */
export function spokenLines(messages: readonly string[]): readonly string[] {
  let loggingIn = false;
  return messages.flatMap((message) => {
    const match = SPOKEN.exec(message);
    if (!match) return [];
    const [, side = '', text = ''] = match;
    const command = /^AUTH (\S+)/i.exec(text);
    if (side === '>' && command) {
      loggingIn = true;
      return [`> AUTH ${command[1] ?? ''}${text.length > command[0].length ? ` ${STARS}` : ''}`];
    }
    if (!loggingIn) return [`${side} ${text}`];
    if (side === '>') return [`> ${STARS}`];
    if (text.startsWith('334')) return [`< 334 ${STARS}`];
    loggingIn = false;
    return [`< ${text}`];
  });
}

/** The mechanism of the last login that was tried; null when none was. */
export function mechanismOf(spoken: readonly string[]): string | null {
  return spoken.findLast((line) => /^> AUTH /i.test(line))?.split(' ')[2] ?? null;
}

/** Mechanisms the server offered last, in upper case. */
export function offeredMechanisms(spoken: readonly string[]): readonly string[] {
  const offer = spoken.findLast((line) => /^< 250[ -]AUTH[ =]/i.test(line));
  return offer === undefined ? [] : offer.slice('< 250-AUTH '.length).toUpperCase().split(/\s+/);
}
