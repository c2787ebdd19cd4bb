/** Exceptions: the list, and what can be done to many at once. */
import type { Request, Response, Router } from 'express';
import type { RowKey } from '../lib/changes/rows.js';
import { ConflictError, HelperError, NotFoundError, UserError } from '../lib/errors.js';
import type { ExceptionsService } from '../lib/exceptions/service.js';
import { EXCEPTION_SORTS, type ExceptionSort } from '../lib/exceptions/schema.js';
import { displayException } from '../lib/exceptions/value.js';
import { allTexts, oneText } from '../lib/web/fields.js';
import { saveFailed } from '../lib/web/helper-notices.js';
import { listLinks, PAGE_SIZE, readListQuery } from '../lib/web/list.js';
import type { Notice } from '../lib/web/notice.js';
import { savedQuery } from '../lib/web/saved-notice.js';
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
    const keys = await chosenKeys(req, only);
    const back = req.baseUrl + EXCEPTIONS_PATH;
    if (keys.length === 0) {
      res.redirect(303, back);
      return;
    }
    try {
      if (what === 'ask') {
        await askRemoval(req, res, keys);
        return;
      }
      const change = await act(what, keys, pages.user(req).login);
      res.redirect(303, back + savedQuery(change));
    } catch (error) {
      const t = pages.translator(req);
      if (error instanceof NotFoundError || error instanceof ConflictError) {
        const [title, text] = [t('exceptions.gone.title'), t('exceptions.gone.text')];
        await show(req, res, 409, [{ kind: 'warn', role: 'alert', title, paragraphs: [text] }]);
      } else if (error instanceof HelperError) {
        await show(req, res, 502, [saveFailed(t, error.toFailure(), web.has)]);
      } else if (error instanceof UserError) {
        const paragraphs = error.problems.map(({ key, values }) => t(key, values));
        const title = t('exceptions.refused.title');
        await show(req, res, 422, [{ kind: 'warn', role: 'alert', title, paragraphs }]);
      } else {
        throw error;
      }
    }
  });

  /** The row of a menu, the ticked ones, those of a question, or all that match. */
  const chosenKeys = async (req: Request, only: string): Promise<readonly RowKey[]> => {
    if (only === '' && oneText(req.body, 'all') === 'filter') {
      return service.matching(readListQuery(req.body, EXCEPTION_SORTS).search.toLowerCase());
    }
    const given = only === '' ? allTexts(req.body, 'row') : [only];
    return given.flatMap((text) => text.split(' ')).flatMap(readRowKey);
  };

  const act = (what: string, keys: readonly RowKey[], actor: string) => {
    if (what === 'on') return service.switchAll(keys, true, actor);
    if (what === 'off') return service.switchAll(keys, false, actor);
    if (what === 'remove') return service.removeAll(keys, actor);
    throw new NotFoundError('action');
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
      keys: keys.map(({ id, version }) => `${id}.${version}`).join(' '),
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
}

/** `12.5`: a row and the version that was shown; anything else is passed over. */
function readRowKey(text: string): readonly RowKey[] {
  const match = /^([1-9]\d{0,17})\.(\d{1,10})$/.exec(text);
  return match ? [{ id: match[1] ?? '', version: Number(match[2]) }] : [];
}
