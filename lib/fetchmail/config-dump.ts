/**
 * What `fetchmail --configdump` prints: its own understanding of a run control file, as Python literals. Read word by word,
 * with no guess: whatever is not exactly that is a `SyntaxError`. Pure.
 */

export type Dumped =
  string | number | boolean | null | readonly Dumped[] | { readonly [name: string]: Dumped };

/** Stands in a text for what fetchmail prints as nobody can read it: any byte that is no printable ASCII. */
export const UNREADABLE = '\uFFFD';

/** The value of `fetchmailrc`. `text` is the output, its bytes as Latin-1. */
export function parseConfigDump(text: string): { readonly [name: string]: Dumped } {
  const start = /^fetchmailrc = /m.exec(text);
  if (!start) throw new SyntaxError('no configuration');
  const value = readValue(createTokens(text.slice(start.index + start[0].length)));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SyntaxError('not a configuration');
  }
  return value as { readonly [name: string]: Dumped };
}

interface Tokens {
  peek(): string;
  next(): string;
}

/**
 * What fetchmail prints for a byte that is no printable ASCII. The first digit of one over 0x7F is looked up outside its
 * table: whatever byte lies there in memory, a quote or a line break too. A NUL there ends the text.
 */
const ODD_BYTE = /\\0x(?:[^][0-9a-f])?/;
const QUOTED = `"(?:[^"\\\\\\n]|${ODD_BYTE.source}|\\\\[^\\n])*"`;
const TOKEN = new RegExp(
  `\\s*(?:#[^\\n]*\\n\\s*)*([{}[\\](),:]|${QUOTED}|${QUOTED.replaceAll('"', "'")}|-?\\d+|[A-Za-z]+)`,
  'y',
);

function createTokens(text: string): Tokens {
  TOKEN.lastIndex = 0;
  let ahead: string | null = null;
  const read = (): string => {
    const match = TOKEN.exec(text);
    if (!match) throw new SyntaxError('not a literal');
    return match[1] ?? '';
  };
  return {
    peek: () => (ahead ??= read()),
    next() {
      const token = ahead ?? read();
      ahead = null;
      return token;
    },
  };
}

function readValue(tokens: Tokens): Dumped {
  const token = tokens.next();
  if (token === '{') return readMap(tokens);
  if (token === '[' || token === '(') return readList(tokens, token === '[' ? ']' : ')');
  if (token.startsWith('"') || token.startsWith("'")) return readText(token.slice(1, -1));
  if (/^-?\d+$/.test(token)) return Number(token);
  if (token === 'TRUE' || token === 'FALSE') return token === 'TRUE';
  if (token === 'None') return null;
  throw new SyntaxError(`unexpected ${token}`);
}

function readMap(tokens: Tokens): { readonly [name: string]: Dumped } {
  const entries: [string, Dumped][] = [];
  for (;;) {
    const token = tokens.next();
    if (token === '}') return Object.fromEntries(entries);
    if (token === ',') continue;
    if (!/^["']/.test(token) || tokens.next() !== ':') throw new SyntaxError('not a name');
    entries.push([readText(token.slice(1, -1)), readValue(tokens)]);
  }
}

function readList(tokens: Tokens, end: string): readonly Dumped[] {
  const values: Dumped[] = [];
  for (;;) {
    const token = tokens.peek();
    if (token === end || token === ',') {
      tokens.next();
      if (token === end) return values;
    } else {
      values.push(readValue(tokens));
    }
  }
}

const ESCAPED = new RegExp(`${ODD_BYTE.source}|\\\\(.)`, 'g');

/** fetchmail escapes quotes and backslashes; of any other byte it prints something that cannot be read back. */
function readText(inner: string): string {
  const plain = inner.replace(ESCAPED, (_, sign: string | undefined) =>
    sign && /["'\\]/.test(sign) ? sign : UNREADABLE,
  );
  return plain.replace(/[^\x20-\x7e]/g, UNREADABLE);
}
