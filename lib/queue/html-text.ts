/** HTML of a mail as plain text: what a reader would read, nothing that acts. Linear in its length. */

const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: ' ',
  auml: 'ä',
  ouml: 'ö',
  uuml: 'ü',
  Auml: 'Ä',
  Ouml: 'Ö',
  Uuml: 'Ü',
  szlig: 'ß',
  euro: '€',
  ndash: '–',
  mdash: '—',
  hellip: '…',
  bdquo: '„',
  ldquo: '“',
  rdquo: '”',
  eacute: 'é',
  egrave: 'è',
  agrave: 'à',
  ccedil: 'ç',
  copy: '©',
  middot: '·',
  bull: '•',
};

/** Elements whose content nobody reads. */
const SILENT = new Set(['script', 'style', 'head', 'title', 'template', 'noscript', 'svg', 'math']);
/** Elements that begin a line of their own. */
const BLOCK = new Set(
  'address article aside blockquote br dd div dl dt fieldset footer form h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section table tr ul'.split(
    ' ',
  ),
);

/** The readable text. Markup that is cut off, nested wrongly or nonsense does no harm. */
export function htmlToText(html: string): string {
  let text = '';
  let silent: string | null = null;
  let at = 0;
  while (at < html.length) {
    const open = html.indexOf('<', at);
    const stop = open < 0 ? html.length : open;
    if (silent === null) text += html.slice(at, stop).replace(/\s+/g, ' ');
    if (open < 0) break;
    if (html.startsWith('<!--', open)) {
      const end = html.indexOf('-->', open + 4);
      at = end < 0 ? html.length : end + 3;
      continue;
    }
    const end = html.indexOf('>', open);
    if (end < 0) break;
    const [, slash = '', tag = ''] =
      /^<(\/?)([a-zA-Z][a-zA-Z0-9]*)/.exec(html.slice(open, Math.min(end, open + 40))) ?? [];
    const name = tag.toLowerCase();
    if (silent !== null) {
      if (slash !== '' && name === silent) silent = null;
    } else if (name === '') {
      text += html.slice(open, end + 1);
    } else if (SILENT.has(name) && slash === '') {
      silent = name;
    } else if (BLOCK.has(name)) {
      text += name === 'li' && slash === '' ? '\n• ' : '\n';
    } else if (name === 'td' || name === 'th') {
      text += '\t';
    }
    at = end + 1;
  }
  return decodeEntities(text)
    .replace(/[ \u00a0]+/g, ' ')
    .replace(/ ?\n ?/g, '\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
}

function decodeEntities(text: string): string {
  return text.replace(
    /&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-zA-Z]{2,8}));/g,
    (whole, decimal, hex, name) => {
      if (typeof name === 'string') return ENTITIES[name] ?? whole;
      const code = typeof decimal === 'string' ? Number(decimal) : parseInt(String(hex), 16);
      return code > 0 && code <= 0x10_ffff && (code < 0xd800 || code > 0xdfff)
        ? String.fromCodePoint(code)
        : '\ufffd';
    },
  );
}
