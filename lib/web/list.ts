/**
 * Lists that can be searched, sorted and paged, by plain links: what an address asks for, and the links of a page.
 * Paging is by key: a row that comes or goes on another page moves nothing on this one.
 */
import { oneText } from './fields.js';

/** Rows on a page. */
export const PAGE_SIZE = 50;
/** Longest search text, in characters; the rest is not looked at. */
const MAX_SEARCH_CHARS = 200;

export interface ListQuery {
  readonly search: string;
  readonly sort: string;
  readonly descending: boolean;
  /** The key of the row before the page, '' for the first page. */
  readonly after: string;
  /** The key of the row after the page, '' when the page is found by `after`. */
  readonly before: string;
}

/** Reads `?q=&sort=&after=&before=`; `sort` is a column, with a minus for the other direction. A database takes no NUL. */
export function readListQuery(
  query: unknown,
  sorts: readonly [first: string, ...others: string[]],
): ListQuery {
  const asked = oneText(query, 'sort');
  const column = asked.replace(/^-/, '');
  const known = sorts.includes(column);
  return {
    search: oneText(query, 'q').replaceAll('\0', '').trim().slice(0, MAX_SEARCH_CHARS),
    sort: known ? column : sorts[0],
    descending: known && asked.startsWith('-'),
    after: oneText(query, 'after'),
    before: oneText(query, 'before'),
  };
}

export interface ListPage<Row> {
  readonly rows: readonly Row[];
  /** How many rows match the search. */
  readonly matching: number;
  /** Number of the first row on the page, from 1; 0 on an empty page. */
  readonly first: number;
  /** Key to continue after, '' on the last page. */
  readonly next: string;
  /** Key to go back before, '' on the first page. */
  readonly previous: string;
}

/** Cuts a page out of rows that are sorted already, for lists that are small enough to hold. */
export function pageOf<Row>(
  sorted: readonly Row[],
  query: Pick<ListQuery, 'after' | 'before'>,
  keyOf: (row: Row) => string,
): ListPage<Row> {
  const at = (key: string): number => sorted.findIndex((row) => keyOf(row) === key);
  const end = query.before === '' ? -1 : at(query.before);
  const start =
    end >= 0 ? Math.max(0, end - PAGE_SIZE) : query.after === '' ? 0 : at(query.after) + 1;
  const rows = sorted.slice(start, end >= 0 ? end : start + PAGE_SIZE);
  const [firstRow] = rows;
  const lastRow = rows.at(-1);
  const more = start + rows.length < sorted.length;
  return {
    rows,
    matching: sorted.length,
    first: rows.length === 0 ? 0 : start + 1,
    next: more && lastRow !== undefined ? keyOf(lastRow) : '',
    previous: start > 0 && firstRow !== undefined ? keyOf(firstRow) : '',
  };
}

export interface ListLinks {
  readonly path: string;
  readonly search: string;
  /** For the hidden field of the search form. */
  readonly sort: string;
  readonly next: string;
  readonly previous: string;
  readonly columns: Readonly<
    Record<string, { readonly href: string; readonly state: 'ascending' | 'descending' | 'none' }>
  >;
}

/** The addresses of everything a list can be asked for; '' where there is nothing. `kept` goes along in each. */
export function listLinks(
  path: string,
  query: ListQuery,
  page: Pick<ListPage<unknown>, 'next' | 'previous'>,
  sorts: readonly string[],
  kept: Readonly<Record<string, string>> = {},
): ListLinks {
  const order = (query.descending ? '-' : '') + query.sort;
  const address = (more: Record<string, string>): string => {
    const wanted = { q: query.search, ...kept, sort: order === sorts[0] ? '' : order, ...more };
    const params = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value !== ''));
    return params.size === 0 ? path : `${path}?${params.toString()}`;
  };
  const columns = sorts.map((sort) => {
    const current = sort === query.sort;
    const next = current && !query.descending ? `-${sort}` : sort;
    const state = !current ? 'none' : query.descending ? 'descending' : 'ascending';
    return [sort, { href: address({ sort: next === sorts[0] ? '' : next }), state }] as const;
  });
  return {
    path,
    search: query.search,
    sort: order === sorts[0] ? '' : order,
    next: page.next === '' ? '' : address({ after: page.next }),
    previous: page.previous === '' ? '' : address({ before: page.previous }),
    columns: Object.fromEntries(columns),
  };
}
