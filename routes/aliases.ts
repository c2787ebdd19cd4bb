/** Mail aliases: the list, and what can be done to many at once. */
import type { Request, Response, Router } from 'express';
import { displayAddress, kindOfName } from '../lib/aliases/address.js';
import type { AliasesService, JudgedAlias } from '../lib/aliases/service.js';
import { ALIAS_SORTS, countOf, STATE_FILTERS, type StateFilter } from '../lib/aliases/states.js';
import type { RowKey } from '../lib/changes/rows.js';
import { HelperError, NotFoundError } from '../lib/errors.js';
import { allTexts, oneText } from '../lib/web/fields.js';
import { requestFailed } from '../lib/web/helper-notices.js';
import { listLinks, readListQuery } from '../lib/web/list.js';
import type { Notice } from '../lib/web/notice.js';
import { readRowKeys, writeRowKey } from '../lib/web/row-keys.js';
import { actOnRows } from '../lib/web/rows-act.js';
import type { Web } from '../lib/web/web.js';
import {
  ALIASES_PATH,
  aliasesPage,
  routeHref,
  standingOfAliases,
  SYSTEM_PATH,
  unreadNotice,
  viewHealth,
} from './aliases-page.js';

/** Rows on a page: with their menus less than 60 kB of HTML. */
const PAGE_ROWS = 40;
/** Names that a question about many aliases shows. */
const SHOWN_NAMES = 20;

export function aliasesRoutes(router: Router, web: Web, service: AliasesService): void {
  const { pages, host } = web;

  router.get(ALIASES_PATH, host.requireRole('mail.read'), async (req, res) => {
    const notices = [...(await web.saved(req)), ...(await web.edited(req, 'aliases'))];
    await show(req, res, 200, notices);
  });

  router.post(SYSTEM_PATH, host.requireRole('mail.admin'), async (req, res) => {
    try {
      const count = await service.readSystem(pages.user(req).login);
      res.redirect(303, `${req.baseUrl}${ALIASES_PATH}?read=${count}`);
    } catch (error) {
      if (!(error instanceof HelperError)) throw error;
      const t = pages.translator(req);
      await show(req, res, 502, [requestFailed(t, error.toFailure(), web.has)]);
    }
  });

  /** After the browser was sent back: how many names the mail server knows now. */
  const readNotice = (req: Request): readonly Notice[] => {
    const count = oneText(req.query, 'read');
    if (!/^\d{1,6}$/.test(count)) return [];
    const title = pages.translator(req)('aliases.unread.done', { count: Number(count) });
    return [{ kind: 'ok', role: 'status', title, paragraphs: [] }];
  };

  router.post(`${ALIASES_PATH}/act`, host.requireRole('mail.admin'), async (req, res) => {
    const [what = '', only = ''] = oneText(req.body, 'do').split(':');
    await act(req, res, what, await chosenKeys(req, only));
  });

  /** The row of a menu, the ticked ones, those of a question, or all that match. */
  const chosenKeys = async (req: Request, only: string): Promise<readonly RowKey[]> => {
    if (only === '' && oneText(req.body, 'all') === 'filter') {
      const { search } = readListQuery(req.body, ALIAS_SORTS);
      return service.matching({ search: search.toLowerCase(), state: stateOf(req.body) });
    }
    return readRowKeys(only === '' ? allTexts(req.body, 'row') : [only]);
  };

  const askRemoval = async (
    req: Request,
    res: Response,
    keys: readonly RowKey[],
  ): Promise<void> => {
    const shown = await service.choose(keys.slice(0, SHOWN_NAMES).map(({ id }) => id));
    if (shown.length === 0) throw new NotFoundError('alias');
    const leading = await service.leadingTo(keys.map(({ id }) => id));
    pages.page(req, res, aliasesPage(web, req, 'remove', 'list'), {
      action: `${req.baseUrl}${ALIASES_PATH}/act`,
      listHref: req.baseUrl + ALIASES_PATH,
      keys: keys.map(writeRowKey).join(' '),
      count: keys.length,
      names: shown.map(({ name }) => displayAddress(name)),
      more: keys.length - shown.length,
      leading: leading.aliases.map(displayAddress).join(', '),
      queries: leading.queries.slice(0, SHOWN_NAMES).join(', '),
    });
  };

  const show = async (
    req: Request,
    res: Response,
    status: number,
    notices: readonly Notice[],
  ): Promise<void> => {
    const t = pages.translator(req);
    const action = req.baseUrl + ALIASES_PATH;
    const query = readListQuery(req.query, ALIAS_SORTS);
    const state = stateOf(req.query);
    const { rows, more, total, counts, lookedAgain, beginning } = await service.list({
      search: query.search.toLowerCase(),
      ...{ state, descending: query.descending, limit: PAGE_ROWS },
      sort: ALIAS_SORTS.find((one) => one === query.sort) ?? 'name',
      after: query.before === '' && query.after !== '' ? query.after : null,
      before: query.before === '' ? null : query.before,
    });
    const back = query.before !== '';
    const next = (back || more) && rows.length > 0 ? (rows.at(-1)?.cursor ?? '') : '';
    const hasPrevious = back ? more : query.after !== '';
    const previous = hasPrevious ? (rows[0]?.cursor ?? '') : '';
    const kept = state === 'all' ? {} : { state };
    const links = listLinks(action, query, { next, previous }, ALIAS_SORTS, kept);
    const system = await systemRows(req);
    const unread = service.systemUnread() ? [unreadNotice(web, req)] : readNotice(req);
    pages.page(req, res, aliasesPage(web, req, 'index', 'list', status), {
      action,
      newHref: `${action}/new`,
      list: { rows: rows.map((row) => viewRow(req, row)) },
      notices: [...notices, ...(await standingOfAliases(web, req, service)), ...unread],
      ...{ links, total, state },
      lead: { off: counts.off, trouble: countOf(counts, 'trouble') },
      beginning: beginning && query.search !== '',
      states: STATE_FILTERS.map((value) => ({
        value,
        label: t('aliases.filter.one', {
          filter: t(`aliases.filter.${value}`),
          count: countOf(counts, value),
        }),
      })),
      unchecked: counts.unchecked,
      lookedAgain,
      readOnly: !pages.may(req, 'mail.admin'),
      system,
    });
  };

  const act = actOnRows(web, {
    ...{ feature: 'aliases', path: ALIASES_PATH, service, ask: askRemoval, show },
  });

  const viewRow = (req: Request, alias: JudgedAlias): object => {
    const t = pages.translator(req);
    const { id, name, targets, note, enabled, health } = alias;
    const shown = displayAddress(name);
    const many = targets.length > 5 ? targets.slice(0, 4) : targets;
    return {
      ...{ id, note, enabled },
      shown,
      kind: kindOfName(name) === 'catchAll' ? t('aliases.kind.catchAll') : '',
      key: writeRowKey(alias),
      href: `${req.baseUrl}${ALIASES_PATH}/${id}`,
      routeHref: kindOfName(name) === 'catchAll' ? '' : routeHref(req, name),
      targets: many.map(displayAddress).join(', '),
      further: targets.length - many.length,
      state: viewHealth(t, health),
    };
  };

  const systemRows = async (req: Request): Promise<readonly object[]> => {
    const t = pages.translator(req);
    const all = await service.systemAliases();
    return all.map(({ name, value, overridden, health, needed }) => ({
      ...{ name, value, overridden, needed },
      state: viewHealth(t, health),
      href: `${req.baseUrl}${ALIASES_PATH}/new?name=${encodeURIComponent(name)}`,
      routeHref: routeHref(req, name),
    }));
  };
}

function stateOf(fields: unknown): StateFilter {
  const asked = oneText(fields, 'state');
  return STATE_FILTERS.find((one) => one === asked) ?? 'all';
}
