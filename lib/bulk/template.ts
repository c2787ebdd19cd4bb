/** The text of a mailing: placeholders, and simple formatting as HTML. Pure; nothing of it ever becomes markup by itself. */

/** Who a message is for. */
export interface Addressee {
  readonly name: string;
  readonly login: string;
  readonly address: string;
}

export const PLACEHOLDERS = ['name', 'login', 'address'] as const;

const PLACEHOLDER = /\{(name|login|address)\}/g;
/** What looks like a placeholder and is none: probably a slip. */
const LOOKS_LIKE_ONE = /\{([\p{L}_]{2,20})\}/gu;

/** Names in braces that stay as they are typed. */
export function unknownPlaceholders(text: string): readonly string[] {
  const names = [...text.matchAll(LOOKS_LIKE_ONE)].map(([, name = '']) => name);
  return [...new Set(names)].filter((name) => !PLACEHOLDERS.some((known) => known === name));
}

/** A text with holes that are filled for each addressee. */
export type Template = (addressee: Addressee) => string;

/** `{name}`, `{login}` and `{address}` are filled in as they are. */
export function plainTemplate(text: string): Template {
  return fill(text, (value) => value);
}

/**
 * The same text as an HTML document: paragraphs, `# headings`, `- lists`, `**bold**`, `*italic*`, and web addresses as links.
 * Everything else, and all that is filled in, is shown as it is written.
 */
export function htmlTemplate(text: string, title: string): Template {
  const body = blocksOf(text).map(blockHtml).join('\n');
  const page = `<!doctype html>\n<html><head><meta charset="utf-8"><title>${escapeHtml(title)}</title></head>\n<body>\n${body}\n</body></html>\n`;
  return fill(page, escapeHtml);
}

/** What stands in the body of that document, for a preview. */
export function htmlBody(text: string): Template {
  return fill(blocksOf(text).map(blockHtml).join('\n'), escapeHtml);
}

function fill(text: string, write: (value: string) => string): Template {
  const parts = text.split(PLACEHOLDER);
  return (addressee) =>
    parts
      .map((part, index) => (index % 2 === 0 ? part : write(addressee[part as keyof Addressee])))
      .join('');
}

export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

export type Block =
  | { readonly kind: 'heading'; readonly text: string }
  | { readonly kind: 'list'; readonly items: readonly string[] }
  | { readonly kind: 'paragraph'; readonly lines: readonly string[] };

/** Paragraphs are divided by empty lines; a heading or a list ends one too. */
export function blocksOf(text: string): readonly Block[] {
  const blocks: Block[] = [];
  let paragraph: string[] = [];
  let items: string[] = [];
  const end = (): void => {
    if (paragraph.length > 0) blocks.push({ kind: 'paragraph', lines: paragraph });
    if (items.length > 0) blocks.push({ kind: 'list', items });
    paragraph = [];
    items = [];
  };
  for (const line of text.split('\n')) {
    const heading = /^#{1,3} +(\S.*)$/.exec(line);
    const item = /^ {0,3}[-*] +(\S.*)$/.exec(line);
    if (heading || line.trim() === '') end();
    if (heading) blocks.push({ kind: 'heading', text: heading[1] ?? '' });
    else if (item) {
      if (paragraph.length > 0) end();
      items.push(item[1] ?? '');
    } else if (line.trim() !== '') {
      if (items.length > 0) end();
      paragraph.push(line);
    }
  }
  end();
  return blocks;
}

function blockHtml(block: Block): string {
  switch (block.kind) {
    case 'heading':
      return `<h2>${spanHtml(block.text)}</h2>`;
    case 'list':
      return `<ul>${block.items.map((item) => `<li>${spanHtml(item)}</li>`).join('')}</ul>`;
    case 'paragraph':
      return `<p>${block.lines.map(spanHtml).join('<br>\n')}</p>`;
  }
}

export type Span =
  | { readonly kind: 'text' | 'bold' | 'italic'; readonly text: string }
  | { readonly kind: 'link'; readonly text: string };

/** A web address ends where a blank, a bracket, a quote or a brace begins; a sign that ends the sentence is none of it. */
const SPAN =
  /\*\*(?=\S)([^*\n]+?)(?<=\S)\*\*|\*(?=\S)([^*\n]+?)(?<=\S)\*|(https?:\/\/[^\s<>"'{}\\^`|()]*[^\s<>"'{}\\^`|().,;:!?])/g;

export function spansOf(line: string): readonly Span[] {
  const spans: Span[] = [];
  let from = 0;
  for (const match of line.matchAll(SPAN)) {
    const [whole, bold, italic, link] = match;
    if (match.index > from) spans.push({ kind: 'text', text: line.slice(from, match.index) });
    if (bold !== undefined) spans.push({ kind: 'bold', text: bold });
    else if (italic !== undefined) spans.push({ kind: 'italic', text: italic });
    else spans.push({ kind: 'link', text: link ?? '' });
    from = match.index + whole.length;
  }
  if (from < line.length) spans.push({ kind: 'text', text: line.slice(from) });
  return spans;
}

function spanHtml(line: string): string {
  return spansOf(line)
    .map(({ kind, text }) => {
      const safe = escapeHtml(text);
      if (kind === 'bold') return `<strong>${safe}</strong>`;
      if (kind === 'italic') return `<em>${safe}</em>`;
      return kind === 'link' ? `<a href="${safe}">${safe}</a>` : safe;
    })
    .join('');
}
