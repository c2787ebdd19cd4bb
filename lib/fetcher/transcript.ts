/** What `fetchmail -v` says, line by line: secrets starred, counted as it goes. Pure but for what it remembers. */
import { stripVTControlCharacters } from 'node:util';

/** Longest line that is kept, in characters, and how many lines. */
const MAX_LINE_CHARS = 500;
export const MAX_LINES = 400;

export interface Counts {
  readonly waiting: number | null;
  readonly seen: number | null;
}

export interface Transcript {
  /** Takes a line as fetchmail wrote it; returns it as it may be shown. */
  take(line: string): string;
  counts(): Counts;
  /** The end of it. */
  lines(): readonly string[];
}

/** `secret` is starred wherever it stands, in clear or in Base64. */
export function createTranscript(secret: string): Transcript {
  const kept: string[] = [];
  const hide = secretHider(secret);
  let authenticating = false;
  let waiting: number | null = null;
  let seen: number | null = null;

  const count = (line: string): void => {
    const mailbox = /(\d+) messages?(?: \((\d+) seen\))? for \S/.exec(line);
    if (mailbox && !/[<>] /.test(line)) {
      waiting = (waiting ?? 0) + Number(mailbox[1]);
      seen = (seen ?? 0) + Number(mailbox[2] ?? 0);
    } else if (/No mail for \S/.test(line)) {
      waiting ??= 0;
      seen ??= 0;
    }
  };

  return {
    take(line) {
      const plain = stripVTControlCharacters(line)
        .replace(/\p{Cc}/gu, ' ')
        .slice(0, MAX_LINE_CHARS * 4);
      const starred = hide(starLogin(plain));
      count(starred);
      const shown = starred.slice(0, MAX_LINE_CHARS);
      kept.push(shown);
      if (kept.length > MAX_LINES) kept.shift();
      return shown;
    },
    counts: () => ({ waiting, seen }),
    lines: () => [...kept],
  };

  /** Answers to a challenge hold the password, or what it can be guessed from. */
  function starLogin(line: string): string {
    const sent = /^(.*?(?:IMAP|POP3|SMTP|ODMR|ETRN|LMTP)> )(.*)$/.exec(line);
    if (!sent) {
      if (/(?:IMAP|POP3|ODMR)< (?:\+OK|-ERR|A\d+ |235|535)/.test(line)) authenticating = false;
      return line;
    }
    const [, who = '', said = ''] = sent;
    if (authenticating) return `${who}*`;
    const login = /^((?:A\d+ )?(?:AUTHENTICATE|AUTH) \S+)(.*)$/i.exec(said);
    if (login) {
      authenticating = true;
      return `${who}${login[1] ?? ''}${login[2] ? ' *' : ''}`;
    }
    const password = /^((?:A\d+ )?(?:PASS|LOGIN|APOP))\b/i.exec(said);
    return password ? `${who}${password[1] ?? ''} *` : line;
  }
}

function secretHider(secret: string): (line: string) => string {
  // A word of two letters stands everywhere; starring it would tell more than it hides.
  if (secret.length < 3) return (line) => line;
  const forms = [secret, Buffer.from(secret).toString('base64')];
  return (line) => forms.reduce((text, form) => text.replaceAll(form, '*'), line);
}
