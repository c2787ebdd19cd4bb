/** The mail queue: doing something with messages, asked back before anything is deleted. */
import type { Request, Response, Router } from 'express';
import { HelperError } from '../lib/errors.js';
import { failureNotice } from '../lib/queue/failure-view.js';
import { filterWords } from '../lib/queue/filter-words.js';
import { isQueueId } from '../lib/queue/id.js';
import type { Target } from '../lib/queue/jobs.js';
import { filterOf, isUnderstood, parseQuery, queryParams } from '../lib/queue/query.js';
import { QUEUE_ACTIONS, type QueueAction } from '../lib/queue/schema.js';
import type { QueueService } from '../lib/queue/service.js';
import { allTexts, oneText } from '../lib/web/fields.js';
import type { Web } from '../lib/web/web.js';
import { QUEUE_PATH, queueParts, showList } from './queue.js';

/** How long an answer waits for an action: a small one is over then. Milliseconds. */
const ACT_WAIT_MS = 1_500;
/** Ids that a question names; more are counted. */
const NAMED_IDS = 10;

interface Wish {
  readonly action: QueueAction;
  readonly target: Target;
}

export function queueActRoutes(router: Router, web: Web, queue: QueueService): void {
  const { pages, host } = web;

  router.post(QUEUE_PATH, host.requireRole('mail.operate'), async (req, res) => {
    const { t } = queueParts(web, req);
    const wish = readWish(req.body);
    if (typeof wish === 'string') {
      const [title, text] = [t(wish), t(`${wish}.meaning`)];
      await showList(web, queue, req, res, req.body, {
        status: 422,
        notices: [{ kind: 'bad', role: 'alert', focus: true, title, paragraphs: [text] }],
      });
      return;
    }
    try {
      if (wish.action === 'delete' && oneText(req.body, 'confirm') !== 'yes') {
        await ask(req, res, wish.target);
      } else {
        await begin(req, res, wish);
      }
    } catch (error) {
      if (!(error instanceof HelperError)) throw error;
      const notice = failureNotice(t, web.has, error.toFailure(), { asked: 'act', shown: '' });
      await showList(web, queue, req, res, req.body, { status: 502, notices: [notice] });
    }
  });

  const begin = async (req: Request, res: Response, { action, target }: Wish): Promise<void> => {
    const job = await queue.jobs.begin(action, target, pages.user(req).login, ACT_WAIT_MS);
    const back = queryParams({ ...parseQuery(req.body as Record<string, unknown>), page: 1 });
    back.set('job', job.id);
    res.redirect(303, `${req.baseUrl}${QUEUE_PATH}?${back.toString()}`);
  };

  /** Counts what would go, and asks. */
  const ask = async (req: Request, res: Response, target: Target): Promise<void> => {
    const parts = queueParts(web, req);
    const { t, format, path } = parts;
    const query = parseQuery(req.body as Record<string, unknown>);
    const ids = 'ids' in target ? target.ids : [];
    const counted =
      'ids' in target
        ? { matching: ids.length, until: 0 }
        : await queue.count(target.filter, pages.user(req).login);
    const fields = [...queryParams(query)].map(([name, value]) => ({ name, value }));
    const back = queryParams(query).toString();
    pages.page(
      req,
      res,
      { view: 'queue/delete', title: t('queue.delete.title'), menu: 'queue' },
      {
        path,
        notices: [],
        ids,
        named: ids.slice(0, NAMED_IDS),
        unnamed: Math.max(0, ids.length - NAMED_IDS),
        count: counted?.matching ?? null,
        all: 'filter' in target,
        until: counted?.until ?? ('filter' in target ? target.until : 0),
        which: 'filter' in target ? filterWords(t, format, target.filter) : '',
        fields,
        backHref: back === '' ? path : `${path}?${back}`,
      },
    );
  };
}

/** What the form asks for, or the key of what is wrong with it. */
function readWish(body: unknown): Wish | string {
  const [word = '', id] = oneText(body, 'one').split(' ');
  const one = id !== undefined;
  const action = QUEUE_ACTIONS.find((name) => name === (one ? word : oneText(body, 'action')));
  if (action === undefined) return 'queue.wrong.action';
  if (!one && oneText(body, 'all') === 'filter') {
    const params = body as Record<string, unknown>;
    if (!isUnderstood(params)) return 'queue.wrong.filter';
    const now = Math.floor(Date.now() / 1000);
    const asked = Number(oneText(body, 'until'));
    const until = Number.isSafeInteger(asked) && asked > 0 ? Math.min(asked, now) : now;
    return { action, target: { filter: filterOf(parseQuery(params)), until } };
  }
  const ids = one ? [id] : [...new Set(allTexts(body, 'ids'))];
  if (ids.length === 0) return 'queue.wrong.none';
  if (!ids.every(isQueueId)) return 'queue.wrong.ids';
  return { action, target: { ids } };
}
