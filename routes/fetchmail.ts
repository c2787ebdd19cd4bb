/** Mail from other providers: the list, and what can be done to one or many queries. */
import type { Request, Response, Router } from 'express';
import type { RowKey } from '../lib/changes/rows.js';
import { NotFoundError } from '../lib/errors.js';
import {
  isFailing,
  QUERY_SORTS,
  QUERY_STATES,
  selectQueries,
  viewQuery,
} from '../lib/fetchmail/list-view.js';
import type { FetchmailService } from '../lib/fetchmail/service.js';
import type { Statuses } from '../lib/fetchmail/statuses.js';
import { allTexts, oneText } from '../lib/web/fields.js';
import { requestFailed } from '../lib/web/helper-notices.js';
import { listLinks, pageOf, readListQuery } from '../lib/web/list.js';
import type { Notice } from '../lib/web/notice.js';
import { readRowKeys, writeRowKey } from '../lib/web/row-keys.js';
import { actOnRows } from '../lib/web/rows-act.js';
import type { Web } from '../lib/web/web.js';
import { FETCHMAIL_PATH, fetchmailPage } from './fetchmail-page.js';

export function fetchmailRoutes(router: Router, web: Web, service: FetchmailService): void {
  const { pages, host } = web;
  const admin = host.requireRole('mail.admin');
  const operate = host.requireRole('mail.operate');

  router.get(FETCHMAIL_PATH, host.requireRole('mail.read'), async (req, res) => {
    await show(req, res, 200, await web.saved(req));
  });

  router.post(`${FETCHMAIL_PATH}/act`, admin, async (req, res) => {
    const [what = '', only = ''] = oneText(req.body, 'do').split(':');
    await settle(req, res, what, readRowKeys(only === '' ? allTexts(req.body, 'row') : [only]));
  });

  /** The same for one query, whose version may be left out: then it is done to the query as it is. */
  for (const [action, what] of [
    ['enable', 'on'],
    ['disable', 'off'],
    ['delete', 'remove'],
  ] as const) {
    router.post(`${FETCHMAIL_PATH}/:id/${action}`, admin, async (req, res) => {
      const { query } = await service.get(String(req.params['id']));
      const version = oneText(req.body, 'version');
      const key = { id: query.id, version: version === '' ? query.version : Number(version) };
      await settle(req, res, what, [key]);
    });
  }

  router.get(`${FETCHMAIL_PATH}/:id/delete`, admin, async (req, res) => {
    const { query } = await service.get(String(req.params['id']));
    await askRemoval(req, res, [query]);
  });

  router.post(`${FETCHMAIL_PATH}/:id/fetch`, operate, async (req, res) => {
    const { query } = await service.get(String(req.params['id']));
    begun(req, res, query.id, service.fetch(query, pages.user(req).login));
  });

  router.post(`${FETCHMAIL_PATH}/:id/test`, operate, async (req, res) => {
    const { query } = await service.get(String(req.params['id']));
    begun(req, res, query.id, service.test(query.id, query, pages.user(req).login, null));
  });

  router.post(`${FETCHMAIL_PATH}/:id/look`, operate, async (req, res) => {
    const { query } = await service.get(String(req.params['id']));
    begun(req, res, query.id, service.look(query.id, query, pages.user(req).login, null));
  });

  const begun = (req: Request, res: Response, id: string, run: string | null): void => {
    const page = `${req.baseUrl}${FETCHMAIL_PATH}/${id}`;
    res.redirect(303, run === null ? `${page}?busy=1` : `${page}?run=${run}`);
  };

  const askRemoval = async (
    req: Request,
    res: Response,
    keys: readonly RowKey[],
  ): Promise<void> => {
    const found = await service.choose(keys.map(({ id }) => id));
    if (found.length === 0) throw new NotFoundError('query');
    const rows = found.map(({ id, name, remoteUser }) => {
      const version = keys.find((key) => key.id === id)?.version ?? 0;
      return { key: writeRowKey({ id, version }), name, remoteUser };
    });
    const question = { count: rows.length, name: rows[0]?.name ?? '' };
    const title = pages.translator(req)('fetchmail.remove.question', question);
    pages.page(
      req,
      res,
      { ...fetchmailPage(web, req, 'remove', 'fetchmail'), title },
      {
        action: `${req.baseUrl}${FETCHMAIL_PATH}/act`,
        listHref: req.baseUrl + FETCHMAIL_PATH,
        rows,
      },
    );
  };

  const show = async (
    req: Request,
    res: Response,
    status: number,
    notices: readonly Notice[],
  ): Promise<void> => {
    const t = pages.translator(req);
    const format = pages.formats(req);
    const action = req.baseUrl + FETCHMAIL_PATH;
    const query = readListQuery(req.query, QUERY_SORTS);
    const asked = oneText(req.query, 'state');
    const state = QUERY_STATES.find((one) => one === asked) ?? 'all';
    const { rows, statuses } = await service.list();
    const page = pageOf(selectQueries(rows, query, state, format), query, (row) => row.query.id);
    pages.page(req, res, fetchmailPage(web, req, 'index', 'fetchmail', status), {
      action,
      newHref: `${action}/new`,
      list: { ...page, rows: page.rows.map((row) => viewQuery(t, format, action, row)) },
      links: listLinks(action, query, page, QUERY_SORTS),
      total: rows.length,
      off: rows.filter((row) => !row.query.enabled).length,
      failing: rows.filter(isFailing).length,
      state,
      states: QUERY_STATES.map((value) => ({ value, label: t(`fetchmail.filter.${value}`) })),
      readOnly: !pages.may(req, 'mail.admin'),
      canOperate: pages.may(req, 'mail.operate'),
      notices: [...notices, ...serviceNotices(req, statuses, rows.length)],
    });
  };

  const settle = actOnRows(web, {
    ...{ feature: 'fetchmail', path: FETCHMAIL_PATH, service, ask: askRemoval, show },
  });

  /** That nobody fetches must not look like no mail. */
  const serviceNotices = (
    req: Request,
    { installed, running, failure }: Statuses,
    total: number,
  ): readonly Notice[] => {
    const t = pages.translator(req);
    if (failure !== null) return [requestFailed(t, failure.toFailure(), web.has)];
    const wrong = !installed ? 'notInstalled' : !running && total > 0 ? 'notRunning' : '';
    if (wrong === '') return [];
    const title = t(`fetchmail.service.${wrong}.title`);
    return [{ kind: 'bad', title, paragraphs: [t(`fetchmail.service.${wrong}.text`)] }];
  };
}
