/** What became of a mail, from the mail log. */
import type { Request, Response, Router } from 'express';
import { UserError, type HelperError, type Problem } from '../lib/errors.js';
import { readTraceQuery, TRACE_FIELDS, type TraceQuery } from '../lib/trace/query.js';
import type { LogSearch, LogSearches } from '../lib/trace/searches.js';
import { viewTrace, type TraceParts } from '../lib/trace/view.js';
import { oneText } from '../lib/web/fields.js';
import { viewForm } from '../lib/web/form.js';
import { requestFailed } from '../lib/web/helper-notices.js';
import type { Notice } from '../lib/web/notice.js';
import type { Web } from '../lib/web/web.js';

export const TRACE_PATH = '/trace';
/** How long an answer waits for the search: most are over then. Milliseconds. */
const WAIT_MS = 1_500;
/** A part that is asked for again and again need not wait long. */
const WAIT_AGAIN_MS = 300;
/** Seconds after which a browser without a script asks again. */
const REFRESH_S = 2;

export function traceRoutes(router: Router, web: Web, searches: LogSearches): void {
  const { pages, host } = web;

  router.get(TRACE_PATH, host.requireRole('mail.read'), async (req, res) => {
    const query = readTraceQuery(req.query);
    const { wanted, problems } = query;
    if (wanted === null) {
      show(req, res, { query, status: problems.length > 0 ? 422 : 200 });
      return;
    }
    const actor = pages.user(req).login;
    try {
      const page = Number(oneText(req.query, 'page')) || 1;
      if (oneText(req.query, 'stop') !== '') await searches.stop(wanted, actor);
      const again = oneText(req.query, 'running') !== '';
      const search = await searches.look(wanted, actor, {
        paging: page > 1 || again || oneText(req.query, 'stop') !== '',
        newerThan: Number(oneText(req.query, 'fresh')) || 0,
        waitMs: again ? WAIT_AGAIN_MS : WAIT_MS,
      });
      show(req, res, { query, search, page, status: search.failure === null ? 200 : 502 });
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      show(req, res, { query, status: 503, problems: error.problems });
    }
  });

  const show = (
    req: Request,
    res: Response,
    shown: {
      readonly query: TraceQuery;
      readonly status: number;
      readonly search?: LogSearch;
      readonly page?: number;
      readonly problems?: readonly Problem[];
    },
  ): void => {
    const t = pages.translator(req);
    const { query, status, search, page = 1, problems = [] } = shown;
    const parts = traceParts(web, req);
    const trace = search === undefined ? null : viewTrace(parts, search, query, page);
    pages.page(
      req,
      res,
      {
        ...{ view: 'trace/index', title: t('trace.title'), menu: 'trace', status },
        failed: status >= 400,
      },
      {
        action: parts.path,
        notices: noticesOf(req, search?.failure ?? null, problems),
        trace,
        asked: query.wanted !== null,
        folded: ['messageId', 'id', 'from', 'to'].every(
          (name) => (query.values[name] ?? '') === '',
        ),
        refresh: trace?.running === true ? REFRESH_S : 0,
        readOnly: false,
        form: viewForm({
          ...{ t, feature: 'trace', fields: TRACE_FIELDS },
          values: query.values,
          problems: query.problems,
        }),
      },
    );
  };

  const noticesOf = (
    req: Request,
    failure: HelperError | null,
    problems: readonly Problem[],
  ): readonly Notice[] => {
    const t = pages.translator(req);
    if (failure !== null) return [requestFailed(t, failure.toFailure(), web.has)];
    return problems.map(({ key, values }) => ({
      ...{ kind: 'warn', role: 'alert', title: t('trace.problem.title') },
      paragraphs: [t(key, values)],
    }));
  };
}

export function traceParts({ pages, offers }: Web, req: Request): TraceParts {
  return {
    t: pages.translator(req),
    format: pages.formats(req),
    path: req.baseUrl + TRACE_PATH,
    pageOf: (page) => (offers(page) ? req.baseUrl + page : ''),
  };
}
