/** The mail queue: the list. */
import type { Request, Response, Router } from 'express';
import { HelperError } from '../lib/errors.js';
import { failureNotice } from '../lib/queue/failure-view.js';
import { viewJob } from '../lib/queue/job-view.js';
import { viewList, type ViewParts } from '../lib/queue/list-view.js';
import { parseQuery, queryParams } from '../lib/queue/query.js';
import type { QueueService } from '../lib/queue/service.js';
import { oneText } from '../lib/web/fields.js';
import type { Notice } from '../lib/web/notice.js';
import type { Web } from '../lib/web/web.js';

export const QUEUE_PATH = '/queue';

/** What a page of the queue writes with. */
export function queueParts({ pages, offers }: Web, req: Request): ViewParts {
  return {
    t: pages.translator(req),
    format: pages.formats(req),
    path: req.baseUrl + QUEUE_PATH,
    now: new Date(),
    pageOf: (page) => (offers(page) ? req.baseUrl + page : ''),
  };
}

export function queueRoutes(router: Router, web: Web, queue: QueueService): void {
  const { host } = web;
  router.get(QUEUE_PATH, host.requireRole('mail.read'), (req, res) =>
    showList(web, queue, req, res, req.query, { status: 200, notices: [] }),
  );
}

/** Answers with the list that `source` (an address or a form) asks for. */
export async function showList(
  web: Web,
  queue: QueueService,
  req: Request,
  res: Response,
  source: unknown,
  { status, notices }: { readonly status: number; readonly notices: readonly Notice[] },
): Promise<void> {
  const { pages } = web;
  const parts = queueParts(web, req);
  const { t, format, path } = parts;
  const query = parseQuery(source as Readonly<Record<string, unknown>>);
  const title = t('queue.title');
  // The helper takes longest, so it begins first.
  const listing = queue.list(query, pages.user(req).login);
  listing.catch(() => undefined);
  const [jobs, finished] = await Promise.all([queue.jobs.running(), finishedJob(queue, req)]);
  const ended = finished === null ? null : viewJob(t, format, path, finished);
  const context = {
    path,
    jobs: jobs.map((job) => viewJob(t, format, path, job)),
    ended,
    endedWords: ended?.failureKey
      ? web.has(ended.failureKey)
        ? t(ended.failureKey)
        : t('helper.unnamed')
      : '',
  };
  try {
    const list = await listing;
    if (list.kind === 'reading') {
      const params = queryParams(query).toString();
      pages.page(
        req,
        res,
        { view: 'queue/reading', title, menu: 'queue', status },
        {
          ...context,
          notices,
          listed: list.building.listed,
          hereHref: params === '' ? path : `${path}?${params}`,
          refresh: 3,
        },
      );
      return;
    }
    const shown = format.clock(list.at);
    const away =
      list.failure === null
        ? []
        : [failureNotice(t, web.has, list.failure.toFailure(), { asked: 'list', shown })];
    pages.page(
      req,
      res,
      { view: 'queue/index', title, menu: 'queue', status, failed: status >= 400 },
      {
        ...context,
        notices: [...notices, ...away],
        list: viewList(parts, list, query),
        possible: list.failure === null,
        leftOut: list.leftOut,
      },
    );
  } catch (error) {
    if (!(error instanceof HelperError)) throw error;
    const away = failureNotice(t, web.has, error.toFailure(), { asked: 'list', shown: '' });
    pages.page(
      req,
      res,
      { view: 'queue/away', title, menu: 'queue', status: 502, failed: true },
      {
        ...context,
        notices: [...notices, away],
        hereHref: path,
      },
    );
  }
}

/** The action that led here, once it is over. */
async function finishedJob(
  queue: QueueService,
  req: Request,
): Promise<Awaited<ReturnType<QueueService['jobs']['get']>>> {
  const id = oneText(req.query, 'job');
  if (!/^\d{1,18}$/.test(id)) return null;
  const job = await queue.jobs.get(id);
  return job?.state === 'running' ? null : job;
}
