/** Reads the forms of a page as a browser without script does: what would be sent if one pressed a button. */

export interface PageForm {
  readonly action: string;
  readonly method: 'get' | 'post';
  /** Names of all its fields, also of those that would not be sent now (a box that is not ticked). */
  readonly names: readonly string[];
  /** Name and value pairs a browser would send, buttons left out. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly buttons: readonly {
    readonly name: string;
    readonly value: string;
    readonly text: string;
  }[];
}

type Attributes = Readonly<Record<string, string>>;

export function readForms(html: string): PageForm[] {
  return [...html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/g)].map((match) => {
    const attributes = readAttributes(match[1] ?? '');
    const inside = match[2] ?? '';
    return {
      action: attributes['action'] ?? '',
      method: attributes['method']?.toLowerCase() === 'post' ? 'post' : 'get',
      names: readNames(inside),
      fields: readFields(inside),
      buttons: readButtons(inside),
    };
  });
}

function readNames(html: string): string[] {
  const controls = [...html.matchAll(/<(?:input|textarea|select)\b([^>]*)>/g)];
  const names = controls.map((match) => readAttributes(match[1] ?? '')['name'] ?? '');
  return [...new Set(names.filter((name) => name !== ''))];
}

function readFields(html: string): [string, string][] {
  const controls = html.matchAll(
    /<input\b([^>]*)>|<textarea\b([^>]*)>([\s\S]*?)<\/textarea>|<select\b([^>]*)>([\s\S]*?)<\/select>/g,
  );
  return [...controls].flatMap(([, input, textarea, text, select, options]) => {
    if (input !== undefined) return inputFields(readAttributes(input));
    if (textarea !== undefined) {
      const value = decodeEntities(text ?? '').replace(/^\r?\n/, '');
      return named(readAttributes(textarea), [value]);
    }
    return named(readAttributes(select ?? ''), chosenOptions(options ?? ''));
  });
}

function inputFields(attributes: Attributes): [string, string][] {
  const type = attributes['type'] ?? 'text';
  if (['submit', 'button', 'reset', 'image', 'file'].includes(type)) return [];
  if (['checkbox', 'radio'].includes(type) && !('checked' in attributes)) return [];
  return named(attributes, [attributes['value'] ?? (type === 'checkbox' ? 'on' : '')]);
}

function chosenOptions(html: string): string[] {
  const options = [...html.matchAll(/<option\b([^>]*)>([^<]*)/g)].map((match) => ({
    attributes: readAttributes(match[1] ?? ''),
    text: decodeEntities(match[2] ?? '').trim(),
  }));
  const selected = options.filter(({ attributes }) => 'selected' in attributes);
  const chosen = selected.length > 0 ? selected : options.slice(0, 1);
  return chosen.map(({ attributes, text }) => attributes['value'] ?? text);
}

function named(attributes: Attributes, values: readonly string[]): [string, string][] {
  const name = attributes['name'];
  if (name === undefined || 'disabled' in attributes) return [];
  return values.map((value) => [name, value]);
}

function readButtons(html: string): PageForm['buttons'] {
  return [...html.matchAll(/<button\b([^>]*)>([\s\S]*?)<\/button>/g)].map((match) => {
    const attributes = readAttributes(match[1] ?? '');
    return {
      name: attributes['name'] ?? '',
      value: attributes['value'] ?? '',
      text: textOf(match[2] ?? ''),
    };
  });
}

function readAttributes(tag: string): Attributes {
  const attributes = [...tag.matchAll(/([^\s="'>/]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'))?/g)];
  return Object.fromEntries(
    attributes.map((match) => [match[1] ?? '', decodeEntities(match[2] ?? match[3] ?? '')]),
  );
}

/** The words of a page, as one reads them. */
export function textOf(html: string): string {
  return decodeEntities(
    html.replace(/<(script|style|title)\b[\s\S]*?<\/\1>/g, '').replace(/<[^>]*>/g, ' '),
  )
    .replace(/\s+/g, ' ')
    .trim();
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: '\u00a0',
};

export function decodeEntities(text: string): string {
  return text.replace(/&(?:#(\d+)|#x([0-9a-fA-F]+)|(\w+));/g, (whole, decimal, hex, name) => {
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
    if (hex !== undefined) return String.fromCodePoint(parseInt(String(hex), 16));
    return ENTITIES[String(name)] ?? whole;
  });
}

/** What the form with the page's settings sends when nothing is touched. A repeated name keeps its last value. */
export function formFields(html: string): Record<string, string> {
  const form = readForms(html)
    .filter(({ method }) => method === 'post')
    .find(({ fields }) => fields.some(([name]) => name === 'version'));
  if (form === undefined) throw new Error(`the page has no form with a version: ${textOf(html)}`);
  return Object.fromEntries(form.fields);
}
