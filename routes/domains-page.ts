/** What the pages of the local domains have in common. */
import type { Request } from 'express';
import type { ListedDomain } from '../lib/domains/service.js';
import { targetKey } from '../lib/domains/list-view.js';
import { toUnicodeDomain } from '../lib/domains/schema.js';
import type { PageInfo } from '../lib/web/page.js';
import type { Web } from '../lib/web/web.js';

export const DOMAINS_PATH = '/configuration/domains';

export function domainsPage({ pages }: Web, req: Request, view: string, status = 200): PageInfo {
  const t = pages.translator(req);
  return {
    view: `domains/${view}`,
    title: t('domains.title'),
    heading: t('configuration.title'),
    menu: 'configuration',
    tab: 'domains',
    status,
    failed: status >= 400,
  };
}

/** A domain as a confirmation names it. */
export function namedDomain(domain: ListedDomain): { key: string; shown: string } {
  return { key: targetKey(domain), shown: toUnicodeDomain(domain.name) };
}

/** Rows carry versions of their own; this one only tells which state of the list a form was made from. */
export function listVersion(domains: readonly ListedDomain[]): number {
  return Math.max(0, ...domains.map(({ row }) => row?.version ?? 0));
}
