/** Every page there is, found as a person finds them: by following links from the first one. */
import type { ConsoleClient, Page } from './console-client.js';
import { decodeEntities } from './forms.js';

export interface FoundPage {
  /** One address of this kind: `/mail/history/7`. */
  readonly path: string;
  /** What all of this kind have in common: `/mail/history/:id`. */
  readonly kind: string;
  readonly page: Page;
}

/** Parts of a path that name one of many: a number, a queue id, a domain, an address, a long key. */
const ONE_OF_MANY = /^(\d+|[0-9A-F]{8,}|(?=.*\d)[0-9A-Za-z]{12,}|.*[.@:%].*)$/;

/** Which page an address shows, whatever is shown on it. The names of query fields count, their values do not. */
export function kindOf(path: string): { readonly page: string; readonly withQuery: string } {
  const { pathname, searchParams } = new URL(path, 'http://any');
  const parts = pathname.split('/').map((part) => (ONE_OF_MANY.test(part) ? ':id' : part));
  const page = parts.join('/').replace(/(.)\/$/, '$1');
  const names = [...new Set(searchParams.keys())].sort().join('&');
  return { page, withQuery: names === '' ? page : `${page}?${names}` };
}

/** Where the links of a page lead within the console, without the part after `#`. */
export function linksOf({ html, url }: Page): string[] {
  const here = new URL(url);
  const found = [...html.matchAll(/<a\b[^>]*\shref="([^"]*)"/g)]
    .map(([, href = '']) => new URL(decodeEntities(href), here))
    .filter(({ origin }) => origin === here.origin)
    .map(({ pathname, search }) => pathname + search);
  return [...new Set(found)];
}

/**
 * Follows all links, one of each kind (with each set of query fields). Rejects when one leads to another status.
 * What is no HTML, such as a download, is left out.
 */
export async function findPages(
  person: ConsoleClient,
  start: readonly string[],
  statuses: readonly number[] = [200],
): Promise<FoundPage[]> {
  const known = new Set<string>();
  const found: FoundPage[] = [];
  let next = [...start];
  while (next.length > 0) {
    const links: string[] = [];
    for (const path of next) {
      const kind = kindOf(path).withQuery;
      if (known.has(kind)) continue;
      known.add(kind);
      const page = await person.get(path);
      if (!statuses.includes(page.status))
        throw new Error(`a link leads to ${path}: ${page.status}`);
      if (!/^text\/html/.test(page.headers.get('content-type') ?? '')) continue;
      found.push({ path, kind, page });
      links.push(...linksOf(page));
    }
    next = links;
  }
  return found;
}
