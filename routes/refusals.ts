/** “Why was this refused?”: what this server turned away or put off, from the mail log. */
import type { Router } from 'express';
import { UserError } from '../lib/errors.js';
import { isRefusalCause } from '../lib/refusals/causes.js';
import { SPANS, viewRefusals, type RefusalQuery, type Span } from '../lib/refusals/view.js';
import { ANYTHING } from '../lib/trace/query.js';
import { MAX_WANTED_LENGTH, WANTED_TESTS } from '../lib/trace/schema.js';
import type { LogSearch, LogSearches } from '../lib/trace/searches.js';
import { oneText } from '../lib/web/fields.js';
import { requestFailed } from '../lib/web/helper-notices.js';
import type { Notice } from '../lib/web/notice.js';
import type { Web } from '../lib/web/web.js';
import { traceParts } from './trace.js';

export const REFUSALS_PATH = '/security/refusals';
const WAIT_MS = 1_500;
const WAIT_AGAIN_MS = 300;
/** Seconds after which a browser without a script asks again. */
const REFRESH_S = 2;
/** The beginning of a span is rounded to this, in seconds: whoever asks again means the same search. */
const ROUND_S = 3_600;

export function refusalsRoutes(router: Router, web: Web, searches: LogSearches): void {
  const { pages, host } = web;

  router.get(REFUSALS_PATH, host.requireRole('mail.read'), async (req, res) => {
    const t = pages.translator(req);
    const query = readQuery(req.query);
    const actor = pages.user(req).login;
    const again = oneText(req.query, 'running') !== '';
    const stop = oneText(req.query, 'stop') !== '';
    const since = SPANS[query.span] === 0 ? 0 : roundedNow() - SPANS[query.span];
    const wanted = { ...ANYTHING, kind: 'refusals' as const, text: query.q, since };
    const notices: Notice[] = [];
    let search: LogSearch | null = null;
    if (stop) await searches.stop(wanted, actor);
    try {
      search = await searches.look(wanted, actor, {
        paging: again || stop || query.page > 1 || query.cause !== '',
        newerThan: Number(oneText(req.query, 'fresh')) || 0,
        waitMs: again ? WAIT_AGAIN_MS : WAIT_MS,
      });
      if (search.failure !== null) {
        notices.push(requestFailed(t, search.failure.toFailure(), web.has));
      }
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      const [problem] = error.problems;
      notices.push({
        ...{ kind: 'warn', role: 'alert', title: t('trace.problem.title') },
        paragraphs: problem === undefined ? [] : [t(problem.key, problem.values)],
      });
    }
    const parts = { ...traceParts(web, req), path: req.baseUrl + REFUSALS_PATH };
    const refusals = search === null ? null : viewRefusals(parts, search, query);
    const status = search === null ? 503 : search.failure === null ? 200 : 502;
    pages.page(
      req,
      res,
      {
        ...{ view: 'refusals/index', title: t('refusals.title'), heading: t('security.title') },
        ...{ menu: 'security', tab: 'refusals', status, failed: status >= 400 },
      },
      {
        action: parts.path,
        ...{ notices, refusals, query },
        spans: (Object.keys(SPANS) as Span[]).map((span) => ({
          value: span,
          label: t(`refusals.span.${span}`),
          chosen: span === query.span,
        })),
        refresh: refusals?.running === true ? REFRESH_S : 0,
      },
    );
  });
}

function roundedNow(): number {
  return Math.floor(Date.now() / 1000 / ROUND_S) * ROUND_S;
}

/** What cannot be understood counts as not given. */
function readQuery(query: unknown): RefusalQuery {
  const q = oneText(query, 'q').trim().slice(0, MAX_WANTED_LENGTH);
  const span = oneText(query, 'span');
  const cause = oneText(query, 'cause');
  const page = Number(oneText(query, 'page'));
  return {
    q: WANTED_TESTS.text(q) ? q : '',
    span: (Object.keys(SPANS) as Span[]).find((name) => name === span) ?? 'day',
    cause: isRefusalCause(cause) ? cause : '',
    page: Number.isSafeInteger(page) && page > 1 ? page : 1,
  };
}
