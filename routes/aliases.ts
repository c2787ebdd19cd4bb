/** Mail aliases: the list, and what can be done to many at once. */
import type { Request, Response, Router } from 'express';
import { displayAddress, kindOfName } from '../lib/aliases/address.js';
import type { AliasesService, JudgedAlias } from '../lib/aliases/service.js';
import type { RowKey } from '../lib/changes/rows.js';
import { ConflictError, HelperError, NotFoundError } from '../lib/errors.js';
import { allTexts, oneText } from '../lib/web/fields.js';
import { saveFailed } from '../lib/web/helper-notices.js';
import { listLinks, PAGE_SIZE, readListQuery } from '../lib/web/list.js';
import type { Notice } from '../lib/web/notice.js';
import { savedQuery } from '../lib/web/saved-notice.js';
import type { Web } from '../lib/web/web.js';
import { ALIASES_PATH, aliasesPage, readRowKey, viewHealth } from './aliases-page.js';

const SORTS = ['name'] as const;
const STATES = ['all', 'on', 'off'] as const;

export function aliasesRoutes(router: Router, web: Web, service: AliasesService): void {
  const { pages, host } = web;

  router.get(ALIASES_PATH, host.requireRole('mail.read'), async (req, res) => {
    await show(req, res, 200, await web.saved(req));
  });

  router.post(`${ALIASES_PATH}/act`, host.requireRole('mail.admin'), async (req, res) => {
    const actor = pages.user(req).login;
    const [what = '', only = ''] = oneText(req.body, 'do').split(':');
    const keys = (only === '' ? allTexts(req.body, 'row') : [only]).flatMap((text) => {
      const key = readRowKey(text);
      return key === null ? [] : [key];
    });
    const back = req.baseUrl + ALIASES_PATH;
    if (keys.length === 0) {
      res.redirect(303, back);
      return;
    }
    try {
      if (what === 'ask') {
        await askRemoval(req, res, keys);
        return;
      }
      const change = await act(what, keys, actor);
      res.redirect(303, back + savedQuery(change));
    } catch (error) {
      const t = pages.translator(req);
      if (error instanceof NotFoundError || error instanceof ConflictError) {
        const [title, text] = [t('aliases.gone.title'), t('aliases.gone.text')];
        await show(req, res, 409, [{ kind: 'warn', role: 'alert', title, paragraphs: [text] }]);
      } else if (error instanceof HelperError) {
        await show(req, res, 502, [saveFailed(t, error.toFailure(), web.has)]);
      } else {
        throw error;
      }
    }
  });

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
    const found = await service.choose(keys.map(({ id }) => id));
    const shown = new Map(found.map(({ id, name }) => [id, displayAddress(name)]));
    const rows = keys.flatMap((key) => {
      const name = shown.get(key.id);
      return name === undefined ? [] : [{ key: `${key.id}.${key.version}`, name }];
    });
    if (rows.length === 0) throw new NotFoundError('alias');
    pages.page(req, res, aliasesPage(web, req, 'remove', 'list'), {
      action: `${req.baseUrl}${ALIASES_PATH}/act`,
      listHref: req.baseUrl + ALIASES_PATH,
      rows,
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
    const query = readListQuery(req.query, SORTS);
    const asked = oneText(req.query, 'state');
    const state = STATES.find((one) => one === asked) ?? 'all';
    const { rows, more, total, off } = await service.list({
      search: query.search.toLowerCase(),
      ...{ state, descending: query.descending, limit: PAGE_SIZE },
      after: query.before === '' && query.after !== '' ? query.after : null,
      before: query.before === '' ? null : query.before,
    });
    const back = query.before !== '';
    const next = (back || more) && rows.length > 0 ? (rows.at(-1)?.name ?? '') : '';
    const hasPrevious = back ? more : query.after !== '';
    const previous = hasPrevious ? (rows[0]?.name ?? '') : '';
    const links = listLinks(action, query, { next, previous }, SORTS);
    pages.page(req, res, aliasesPage(web, req, 'index', 'list', status), {
      action,
      newHref: `${action}/new`,
      list: { rows: rows.map((row) => viewRow(req, row)) },
      ...{ links, total, off, notices },
      state,
      states: STATES.map((value) => ({ value, label: t(`aliases.filter.${value}`) })),
      readOnly: !pages.may(req, 'mail.admin'),
      system: await systemRows(req),
    });
  };

  const viewRow = (req: Request, alias: JudgedAlias): object => {
    const t = pages.translator(req);
    const { id, name, targets, note, enabled, version, health } = alias;
    const shown = displayAddress(name);
    const many = targets.length > 5 ? targets.slice(0, 4) : targets;
    return {
      ...{ id, note, enabled },
      shown,
      kind: kindOfName(name) === 'catchAll' ? t('aliases.kind.catchAll') : '',
      key: `${id}.${version}`,
      href: `${req.baseUrl}${ALIASES_PATH}/${id}`,
      targets: many.map(displayAddress).join(', '),
      further: targets.length - many.length,
      state: viewHealth(t, health),
    };
  };

  const systemRows = async (req: Request): Promise<readonly object[]> => {
    const all = await service.systemAliases();
    return all.map(({ name, value, overridden }) => ({
      ...{ name, value, overridden },
      href: `${req.baseUrl}${ALIASES_PATH}/new?name=${encodeURIComponent(name)}`,
    }));
  };
}
