/** Bulk mail: the list, how a mailing goes, what became of it. */
import { once } from 'node:events';
import type { Request, Response, Router } from 'express';
import { CSV_HEAD, csvLine } from '../lib/bulk/csv.js';
import {
  countGroup,
  RESULT_GROUPS,
  viewListed,
  viewProgress,
  viewRecipient,
  type ResultGroup,
  type ViewParts,
} from '../lib/bulk/mailing-view.js';
import type { BulkService, Progress } from '../lib/bulk/service.js';
import { oneText } from '../lib/web/fields.js';
import type { Notice } from '../lib/web/notice.js';
import { wantsPart, type PageInfo } from '../lib/web/page.js';
import type { Web } from '../lib/web/web.js';
import { showDraft } from './bulk-draft.js';

export const BULK_PATH = '/bulk';
/** Rows on a page. */
const PAGE_ROWS = 50;
/** Rows that are read together for a file. */
const EXPORT_ROWS = 1_000;
/** Longest search text, in characters. */
const MAX_SEARCH_CHARS = 200;
/** Seconds after which a browser without a script asks again. */
const REFRESH_S = 4;

export function bulkParts({ pages }: Web, req: Request): ViewParts {
  return {
    t: pages.translator(req),
    format: pages.formats(req),
    path: req.baseUrl + BULK_PATH,
  };
}

export function bulkPage(view: string, title: string, status = 200, tab = 'list'): PageInfo {
  return { view: `bulk/${view}`, title, menu: 'bulk', tab, status, failed: status >= 400 };
}

/** How much of a subject stands in a title, in characters. */
const MAX_TITLE_SUBJECT = 20;

/** A subject for the title of a window, which has little room. */
export function shortSubject(subject: string): string {
  const signs = [...subject];
  if (signs.length <= MAX_TITLE_SUBJECT) return subject;
  return `${signs.slice(0, MAX_TITLE_SUBJECT).join('')}…`;
}

export function bulkRoutes(router: Router, web: Web, service: BulkService): void {
  const { pages, host } = web;
  const read = host.requireRole('mail.read');

  router.get(BULK_PATH, read, async (req, res) => {
    const parts = bulkParts(web, req);
    const { t, path } = parts;
    const asked = oneText(req.query, 'before');
    const before = /^[1-9]\d{0,17}$/.test(asked) ? asked : '';
    const found = await service.list({ before, limit: PAGE_ROWS + 1 });
    const rows = found.slice(0, PAGE_ROWS);
    const last = rows.at(-1)?.mailing.id ?? '';
    pages.page(req, res, bulkPage('index', t('bulk.title')), {
      newHref: `${path}/new`,
      rows: rows.map((row) => viewListed(parts, row)),
      nextHref: found.length > rows.length ? `${path}?before=${last}` : '',
      firstHref: before === '' ? '' : path,
      notices: oneText(req.query, 'removed') === '' ? [] : [removedNotice(parts)],
    });
  });

  router.get(`${BULK_PATH}/:id`, read, async (req, res) => {
    const mailing = await service.get(String(req.params['id']));
    if (mailing.state === 'draft') await showDraft(web, service, req, res, mailing.id);
    else await showMailing(web, service, req, res, mailing.id);
  });

  router.get(`${BULK_PATH}/:id/export.csv`, read, async (req, res) => {
    const { id } = await service.get(String(req.params['id']));
    res.set({
      'Content-Type': 'text/csv; charset=utf-8',
      'Content-Disposition': `attachment; filename="mailing-${id}.csv"`,
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
    });
    res.write(CSV_HEAD);
    const states = [...RESULT_GROUPS.all, ...RESULT_GROUPS.leftOut];
    for (let after = 0; !res.closed;) {
      const query = { states, search: '', after, limit: EXPORT_ROWS };
      const { rows } = await service.recipients(id, query);
      const text = rows.map(csvLine).join('');
      if (!res.write(text)) await Promise.race([once(res, 'drain'), once(res, 'close')]);
      if (rows.length < EXPORT_ROWS) break;
      after = rows.at(-1)?.no ?? after;
    }
    res.end();
  });
}

function removedNotice({ t }: ViewParts): Notice {
  return { kind: 'ok', role: 'status', title: t('bulk.removed'), paragraphs: [] };
}

/** A mailing that was sent or is being sent. */
export async function showMailing(
  web: Web,
  service: BulkService,
  req: Request,
  res: Response,
  id: string,
  { status = 200, notices = [] }: { status?: number; notices?: readonly Notice[] } = {},
): Promise<void> {
  const { pages } = web;
  const parts = bulkParts(web, req);
  const { t, format, path } = parts;
  const progress = await service.progress(id);
  const view = viewProgress(parts, progress);
  if (wantsPart(req) && oneText(req.query, 'part') === 'progress') {
    // The results beside it are fetched anew.
    res.set('HX-Trigger', 'bulk-changed');
    pages.part(req, res, 'bulk/progress-part', { progress: view });
    return;
  }
  const { mailing, counts, attachments } = progress;
  const list = await readList(service, req, progress);
  const here = `${path}/${id}`;
  const address = (changes: Record<string, string>): string => {
    const wanted = { show: list.group === 'all' ? '' : list.group, q: list.search, ...changes };
    const params = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value !== ''));
    return params.size === 0 ? here : `${here}?${params.toString()}`;
  };
  const links = {
    queue: `${req.baseUrl}/queue`,
    trace: web.offers('/trace') ? `${req.baseUrl}/trace` : '',
  };
  pages.page(
    req,
    res,
    {
      ...bulkPage('show', t('bulk.showTitle', { subject: shortSubject(mailing.subject) }), status),
      heading: t('bulk.showTitle', { subject: mailing.subject }),
    },
    {
      action: here,
      listHref: path,
      exportHref: `${here}/export.csv`,
      progress: view,
      refresh: view.live ? REFRESH_S : 0,
      notices,
      message: {
        from: mailing.sender,
        fromName: mailing.senderName,
        subject: mailing.subject,
        body: mailing.body,
        started: t('bulk.startedBy', {
          who: mailing.actor,
          when: format.moment(mailing.startedAt ?? mailing.changedAt),
        }),
        attachments: attachments.map(({ name, size }) => `${name} (${format.bytes(size)})`),
      },
      groups: (Object.keys(RESULT_GROUPS) as ResultGroup[])
        .map((group) => ({
          href: address({ show: group === 'all' ? '' : group, after: '' }),
          count: format.number(countGroup(counts, group)),
          empty: countGroup(counts, group) === 0,
          text: t(`bulk.group.${group}`),
          current: group === list.group,
        }))
        .filter(({ empty, current }) => current || !empty),
      show: list.group === 'all' ? '' : list.group,
      search: list.search,
      hereHref: address({ after: list.after === 0 ? '' : String(list.after) }),
      rows: list.rows.map((row) => viewRecipient(parts, row, mailing, links)),
      range: list.rows.length === 0 ? '' : t('bulk.range', { count: list.matching }),
      pager: {
        previous: list.after === 0 ? '' : address({ after: '' }),
        next: list.next === 0 ? '' : address({ after: String(list.next) }),
      },
    },
  );
}

async function readList(service: BulkService, req: Request, { mailing }: Progress) {
  const asked = oneText(req.query, 'show');
  const group = (Object.keys(RESULT_GROUPS) as ResultGroup[]).find((one) => one === asked) ?? 'all';
  const search = oneText(req.query, 'q').trim().slice(0, MAX_SEARCH_CHARS);
  const from = oneText(req.query, 'after');
  const after = /^\d{1,7}$/.test(from) ? Number(from) : 0;
  const states = RESULT_GROUPS[group];
  const { rows, matching } = await service.recipients(mailing.id, {
    ...{ states, search, after, limit: PAGE_ROWS + 1 },
  });
  const shown = rows.slice(0, PAGE_ROWS);
  const next = rows.length > PAGE_ROWS ? (shown.at(-1)?.no ?? 0) : 0;
  return { group, search, after, rows: shown, matching, next };
}
