/** Exceptions: the list, and what can be done to many at once. */
import type { Request, Response, Router } from 'express';
import type { RowKey } from '../lib/changes/rows.js';
import { NotFoundError } from '../lib/errors.js';
import type { ExceptionsService } from '../lib/exceptions/service.js';
import { EXCEPTION_SORTS, type ExceptionSort } from '../lib/exceptions/schema.js';
import { displayException } from '../lib/exceptions/value.js';
import { allTexts, oneText } from '../lib/web/fields.js';
import { listLinks, PAGE_SIZE, readListQuery } from '../lib/web/list.js';
import type { Notice } from '../lib/web/notice.js';
import { readRowKeys, writeRowKey } from '../lib/web/row-keys.js';
import { actOnRows } from '../lib/web/rows-act.js';
import type { Web } from '../lib/web/web.js';
import {
  EXCEPTIONS_PATH,
  exceptionsPage,
  standingOfExceptions,
  viewException,
} from './exceptions-page.js';

/** Names that a question about many exceptions shows. */
const SHOWN_NAMES = 20;

export function exceptionsRoutes(router: Router, web: Web, service: ExceptionsService): void {
  const { pages, host } = web;

  router.get(EXCEPTIONS_PATH, host.requireRole('mail.read'), async (req, res) => {
    const notices = [...(await web.saved(req)), ...(await web.edited(req, 'exceptions'))];
    await show(req, res, 200, notices);
  });

  router.post(`${EXCEPTIONS_PATH}/act`, host.requireRole('mail.admin'), async (req, res) => {
    const [what = '', only = ''] = oneText(req.body, 'do').split(':');
    await act(req, res, what, await chosenKeys(req, only));
  });

  /** The row of a menu, the ticked ones, those of a question, or all that match. */
  const chosenKeys = async (req: Request, only: string): Promise<readonly RowKey[]> => {
    if (only === '' && oneText(req.body, 'all') === 'filter') {
      return service.matching(readListQuery(req.body, EXCEPTION_SORTS).search.toLowerCase());
    }
    return readRowKeys(only === '' ? allTexts(req.body, 'row') : [only]);
  };

  const askRemoval = async (
    req: Request,
    res: Response,
    keys: readonly RowKey[],
  ): Promise<void> => {
    const shown = await service.choose(keys.slice(0, SHOWN_NAMES).map(({ id }) => id));
    if (shown.length === 0) throw new NotFoundError('exception');
    pages.page(req, res, exceptionsPage(web, req, 'remove'), {
      action: `${req.baseUrl}${EXCEPTIONS_PATH}/act`,
      listHref: req.baseUrl + EXCEPTIONS_PATH,
      keys: keys.map(writeRowKey).join(' '),
      count: keys.length,
      names: shown.map(({ value }) => displayException(value)),
      more: keys.length - shown.length,
    });
  };

  const show = async (
    req: Request,
    res: Response,
    status: number,
    notices: readonly Notice[],
  ): Promise<void> => {
    const action = req.baseUrl + EXCEPTIONS_PATH;
    const query = readListQuery(req.query, EXCEPTION_SORTS);
    const back = query.before !== '';
    const { rows, more, total, off } = await service.list({
      search: query.search.toLowerCase(),
      sort: query.sort as ExceptionSort,
      descending: query.descending,
      after: !back && query.after !== '' ? query.after : null,
      before: back ? query.before : null,
      limit: PAGE_SIZE,
    });
    const next = (back || more) && rows.length > 0 ? (rows.at(-1)?.id ?? '') : '';
    const previous = (back ? more : query.after !== '') ? (rows[0]?.id ?? '') : '';
    const { notices: standing, possible } = await standingOfExceptions(web, req, service);
    const refused = notices.some(({ kind }) => kind === 'bad');
    pages.page(req, res, exceptionsPage(web, req, 'index', status), {
      action,
      newHref: `${action}/new`,
      list: { rows: rows.map((row) => viewException(web, req, row)) },
      links: listLinks(action, query, { next, previous }, EXCEPTION_SORTS),
      ...{ total, off },
      notices: [...notices, ...(refused ? [] : standing)],
      saving: { possible },
      readOnly: !pages.may(req, 'mail.admin'),
    });
  };

  const act = actOnRows(web, {
    ...{ feature: 'exceptions', path: EXCEPTIONS_PATH, service, ask: askRemoval, show },
  });
}
