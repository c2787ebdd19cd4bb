/** The quarantine: mail that the content filter kept back. Whoever may only look sees the list; mail is opened by operators. */
import type { Request, Response, Router } from 'express';
import { HelperError, NotFoundError } from '../lib/errors.js';
import {
  isQuarantineId,
  KEEP_DAYS,
  delivers,
  kindOf,
  QUARANTINE_ACTIONS,
  QUARANTINE_KINDS,
} from '../lib/quarantine/schema.js';
import { QUARANTINE_SORTS, type QuarantineService } from '../lib/quarantine/service.js';
import {
  hrefOf,
  viewJob,
  viewKept,
  viewQuarantine,
  type QuarantineParts,
  type QuarantineQuery,
} from '../lib/quarantine/view.js';
import { allTexts, oneText } from '../lib/web/fields.js';
import { requestFailed } from '../lib/web/helper-notices.js';
import type { Notice } from '../lib/web/notice.js';
import { wantsPart } from '../lib/web/page.js';
import type { Web } from '../lib/web/web.js';

export const QUARANTINE_PATH = '/security/quarantine';
/** How long an answer waits for an action: a small one is over then. Milliseconds. */
const ACT_WAIT_MS = 1_500;
/** Seconds after which a browser without a script asks again. */
const REFRESH_S = 2;
/** Ids in one field of the question. */
const IDS_IN_FIELD = 100;
/** Longest search text, in characters. */
const MAX_SEARCH = 200;

export function quarantineRoutes(router: Router, web: Web, service: QuarantineService): void {
  const { pages, host } = web;
  const operate = host.requireRole('mail.operate');
  const tab = { menu: 'security', tab: 'quarantine' };

  router.get(QUARANTINE_PATH, host.requireRole('mail.read'), (req, res) =>
    showList(req, res, req.query, 200, []),
  );

  router.post(QUARANTINE_PATH, operate, async (req, res) => {
    const t = pages.translator(req);
    const [word = '', one] = oneText(req.body, 'one').split(' ');
    const name = one === undefined ? oneText(req.body, 'action') : word;
    const action = QUARANTINE_ACTIONS.find((known) => known === name);
    const everything = one === undefined && oneText(req.body, 'all') === 'filter';
    const query = readQuery(req.body);
    try {
      const ids = everything
        ? (await service.list(query, pages.user(req).login)).rows.map(({ id }) => id)
        : one === undefined
          ? [...new Set(allTexts(req.body, 'ids').flatMap((ids) => ids.split(' ')))]
          : [one];
      if (action === undefined || ids.length === 0 || !ids.every(isQuarantineId)) {
        await showList(req, res, req.body, 422, [
          {
            ...{ kind: 'bad', role: 'alert', focus: true, title: t('quarantine.wrong.title') },
            paragraphs: [t('quarantine.wrong.text')],
          },
        ]);
        return;
      }
      const infected = ids.filter((id) => kindOf(id) === 'virus').length;
      const confirmed = oneText(req.body, 'confirm') === 'yes';
      const evenInfected = oneText(req.body, 'evenInfected') === 'yes';
      const asks =
        action === 'delete'
          ? !confirmed
          : delivers(action) && infected > 0 && !(confirmed && evenInfected);
      if (asks) {
        pages.page(
          req,
          res,
          {
            ...{
              view: 'quarantine/confirm',
              title: t(`quarantine.ask.${action === 'delete' ? 'delete' : 'release'}`),
              ...tab,
            },
            ...(confirmed ? { status: 422, failed: true } : {}),
          },
          {
            ...{ path: partsOf(req).path, action, infected, missing: confirmed },
            ...{ ids: inFields(ids), count: ids.length },
          },
        );
        return;
      }
      const wish = { action, ids, evenInfected: evenInfected && confirmed };
      const job = await service.jobs.begin(wish, pages.user(req).login, ACT_WAIT_MS);
      res.redirect(303, `${req.baseUrl}${QUARANTINE_PATH}/jobs/${job.id}`);
    } catch (error) {
      if (!(error instanceof HelperError)) throw error;
      await showList(req, res, req.body, 502, [requestFailed(t, error.toFailure(), web.has)]);
    }
  });

  router.post(`${QUARANTINE_PATH}/keep`, host.requireRole('mail.admin'), async (req, res) => {
    const t = pages.translator(req);
    const days = KEEP_DAYS.find((choice) => String(choice) === oneText(req.body, 'days'));
    if (days === undefined) {
      const title = t('quarantine.keep.wrong');
      const notice: Notice = { kind: 'bad', role: 'alert', focus: true, title, paragraphs: [] };
      await showList(req, res, {}, 422, [notice]);
      return;
    }
    await service.setKeepDays(days, pages.user(req).login);
    res.redirect(303, req.baseUrl + QUARANTINE_PATH);
  });

  router.get(`${QUARANTINE_PATH}/jobs/:job`, operate, (req, res) => {
    const job = service.jobs.get(String(req.params['job']));
    if (job === null) throw new NotFoundError('job');
    const parts = partsOf(req);
    const view = viewJob(parts, job, web.has);
    const context = { path: parts.path, job: view };
    if (wantsPart(req)) {
      pages.part(req, res, 'quarantine/job-part', context);
      return;
    }
    const running = job.result === null && job.failure === null;
    const title = pages.translator(req)('quarantine.job');
    pages.page(
      req,
      res,
      { view: 'quarantine/job', title, ...tab },
      { ...context, refresh: running ? REFRESH_S : 0 },
    );
  });

  router.post(`${QUARANTINE_PATH}/jobs/:job/cancel`, operate, (req, res) => {
    const id = String(req.params['job']);
    if (service.jobs.get(id) === null) throw new NotFoundError('job');
    service.jobs.cancel(id);
    res.redirect(303, `${req.baseUrl}${QUARANTINE_PATH}/jobs/${id}`);
  });

  router.get(`${QUARANTINE_PATH}/:id`, operate, async (req, res) => {
    const id = idOf(req);
    const parts = partsOf(req);
    const { t, path } = parts;
    const info = { title: t('quarantine.show', { id }), ...tab };
    try {
      const shown = await service.show(id, pages.user(req).login);
      if (shown === null) throw new NotFoundError(`mail ${id}`);
      const mail = await viewKept(parts, shown, await service.keepDays());
      const heading = (mail as { readonly title: string }).title;
      const rawHref = `${path}/${id}/raw`;
      pages.page(req, res, { view: 'quarantine/show', ...info, heading }, { path, mail, rawHref });
    } catch (error) {
      if (!(error instanceof HelperError)) throw error;
      const notices = [requestFailed(t, error.toFailure(), web.has)];
      pages.page(
        req,
        res,
        { view: 'quarantine/away', ...info, status: 502, failed: true },
        { path, notices },
      );
    }
  });

  router.get(`${QUARANTINE_PATH}/:id/raw`, operate, async (req, res) => {
    const id = idOf(req);
    const abort = new AbortController();
    const closed = new Promise<void>((resolve) => res.once('close', resolve));
    void closed.then(() => abort.abort());
    try {
      await service.download(id, pages.user(req).login, {
        signal: abort.signal,
        take: async (piece) => {
          if (!res.headersSent) {
            res.set({
              'Content-Type': 'message/rfc822',
              'Content-Disposition': `attachment; filename="${id.replace(/\.gz$/, '')}.eml"`,
              'Content-Security-Policy': "default-src 'none'; sandbox",
              'X-Content-Type-Options': 'nosniff',
              'Cache-Control': 'no-store',
            });
          }
          if (!res.write(piece) && !abort.signal.aborted) {
            await Promise.race([new Promise((resolve) => res.once('drain', resolve)), closed]);
          }
        },
      });
      res.end();
    } catch (error) {
      if (!res.headersSent) throw error;
      // Half a file must not look whole.
      res.destroy(error as Error);
    }
  });

  const partsOf = (req: Request): QuarantineParts => ({
    t: pages.translator(req),
    format: pages.formats(req),
    path: req.baseUrl + QUARANTINE_PATH,
    pageOf: (page) => (web.offers(page) ? req.baseUrl + page : ''),
  });

  const showList = async (
    req: Request,
    res: Response,
    source: unknown,
    status: number,
    notices: readonly Notice[],
  ): Promise<void> => {
    const parts = partsOf(req);
    const { t, path } = parts;
    const query = readQuery(source);
    const info = { title: t('quarantine.title'), heading: t('security.title'), ...tab };
    try {
      const keepDays = await service.keepDays();
      const list = await service.list(query, pages.user(req).login);
      pages.page(
        req,
        res,
        { view: 'quarantine/index', ...info, status, failed: status >= 400 },
        {
          ...{ path, notices, query },
          list: viewQuarantine(parts, list, query, keepDays),
          jobs: service.jobs.running().map((job) => viewJob(parts, job, web.has)),
          hereHref: hrefOf(path, { ...query }),
        },
      );
    } catch (error) {
      if (!(error instanceof HelperError)) throw error;
      const failed = requestFailed(t, error.toFailure(), web.has);
      pages.page(
        req,
        res,
        { view: 'quarantine/away', ...info, status: 502, failed: true },
        { path, notices: [failed] },
      );
    }
  };
}

/** Ids by the hundred: hosts take a thousand fields of a form, and there may be many more mails. */
function inFields(ids: readonly string[]): readonly string[] {
  const count = Math.ceil(ids.length / IDS_IN_FIELD);
  return Array.from({ length: count }, (_, at) =>
    ids.slice(at * IDS_IN_FIELD, (at + 1) * IDS_IN_FIELD).join(' '),
  );
}

function idOf(req: Request): string {
  const id = String(req.params['id']);
  if (!isQuarantineId(id)) throw new NotFoundError('mail');
  return id;
}

/** What cannot be understood counts as not given. */
function readQuery(source: unknown): QuarantineQuery {
  const page = Number(oneText(source, 'page'));
  return {
    q: oneText(source, 'q').trim().slice(0, MAX_SEARCH),
    kind: QUARANTINE_KINDS.find((kind) => kind === oneText(source, 'kind')) ?? '',
    sort: QUARANTINE_SORTS.find((sort) => sort === oneText(source, 'sort')) ?? 'newest',
    page: Number.isSafeInteger(page) && page > 1 ? page : 1,
  };
}
