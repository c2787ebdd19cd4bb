/** “Where would mail to X go?”: the way of a mail, step by step, and Postfix' own report of it. */
import type { Request, Response, Router } from 'express';
import { displayAddress, splitAddress } from '../lib/aliases/address.js';
import { HelperError, UserError, type Problem } from '../lib/errors.js';
import type { ReportLine, RouteReport } from '../lib/route/schema.js';
import type { RouteLook, RouteService } from '../lib/route/service.js';
import { viewEnd, viewRoute } from '../lib/route/view.js';
import { oneText } from '../lib/web/fields.js';
import { viewForm } from '../lib/web/form.js';
import { helperAway, requestFailed } from '../lib/web/helper-notices.js';
import type { Notice } from '../lib/web/notice.js';
import type { Web } from '../lib/web/web.js';
import { aliasesPage, ROUTE_PATH, unreadNotice } from './aliases-page.js';

/** Longest address that is shown again, in characters. */
const MAX_SHOWN = 400;

interface Shown {
  readonly typed: string;
  readonly status?: number;
  readonly problems?: readonly Problem[];
  readonly look?: RouteLook;
  readonly report?: RouteReport;
  readonly notices?: readonly Notice[];
}

export function routeRoutes(router: Router, web: Web, service: RouteService): void {
  const { pages, host } = web;

  router.get(ROUTE_PATH, host.requireRole('mail.read'), async (req, res) => {
    await answer(req, res, oneText(req.query, 'address').trim().slice(0, MAX_SHOWN), false);
  });

  router.post(ROUTE_PATH, host.requireRole('mail.operate'), async (req, res) => {
    await answer(req, res, oneText(req.body, 'address').trim().slice(0, MAX_SHOWN), true);
  });

  const answer = async (
    req: Request,
    res: Response,
    typed: string,
    withReport: boolean,
  ): Promise<void> => {
    if (typed === '') {
      show(req, res, { typed });
      return;
    }
    const actor = pages.user(req).login;
    try {
      const look = await service.look(typed, actor);
      const { report, failed } = withReport
        ? await reportOf(req, typed, actor)
        : { report: undefined, failed: [] };
      const unread = look.unread ? [unreadNotice(web, req)] : [];
      const notices = [...disagreement(req, look), ...unread, ...away(req, look), ...failed];
      const status = failed.length > 0 ? 502 : 200;
      show(req, res, { typed, look, notices, status, ...(report ? { report } : {}) });
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      show(req, res, { typed, status: 422, problems: error.problems });
    }
  };

  const reportOf = async (
    req: Request,
    typed: string,
    actor: string,
  ): Promise<{ report: RouteReport | undefined; failed: readonly Notice[] }> => {
    try {
      return { report: await service.report(typed, actor), failed: [] };
    } catch (error) {
      if (!(error instanceof HelperError)) throw error;
      const failed = [requestFailed(pages.translator(req), error.toFailure(), web.has)];
      return { report: undefined, failed };
    }
  };

  const away = (req: Request, { failure }: RouteLook): readonly Notice[] =>
    failure === null
      ? []
      : [helperAway(pages.translator(req), pages.formats(req), failure.toFailure(), null, web.has)];

  /** The settings lead elsewhere than the running Postfix does. */
  const disagreement = (
    req: Request,
    { agree, settings, smarthost }: RouteLook,
  ): readonly Notice[] => {
    if (agree !== false) return [];
    const t = pages.translator(req);
    const points = settings.endless
      ? [t('route.disagree.endless')]
      : settings.ends.map((end) => {
          const { address, word } = viewEnd(t, end);
          const ending = end.ending === 'outside' ? wayOut(t, end.address, smarthost) : word;
          return t('route.disagree.end', { address, ending });
        });
    return [
      {
        ...{ kind: 'warn', role: 'alert', title: t('route.disagree.title'), points },
        paragraphs: [t('route.disagree.text')],
        link: { href: `${req.baseUrl}/differences`, text: t('route.disagree.remedy') },
      },
    ];
  };

  const show = (req: Request, res: Response, shown: Shown): void => {
    const t = pages.translator(req);
    const { typed, status = 200, problems = [], look, report, notices = [] } = shown;
    const page = aliasesPage(web, req, 'index', 'route', status);
    pages.page(
      req,
      res,
      { ...page, view: 'route/index', title: t('route.title') },
      {
        action: req.baseUrl + ROUTE_PATH,
        notices,
        typed,
        readOnly: false,
        mayAsk: pages.may(req, 'mail.operate'),
        route: look ? viewRoute(t, look) : null,
        fromSettings: look !== undefined && look.tables === null,
        agree: look?.agree ?? null,
        stopped: look?.tables?.running === false,
        bySender: look?.tables?.bySender === true,
        unasked: look?.tables?.unasked.map(({ table, words }) => `${table}: ${words}`) ?? [],
        report: report ? { ...report, lines: report.lines.map((line) => viewLine(t, line)) } : null,
        form: viewForm({
          ...{ t, feature: 'route', fields: ['address'], problems },
          values: { address: typed },
        }),
      },
    );
  };
}

/** How the settings say that mail leaves. */
function wayOut(
  t: ReturnType<Web['pages']['translator']>,
  address: string,
  smarthost: string | null,
): string {
  if (smarthost === null) return t('route.ending.outside');
  return smarthost === ''
    ? t('route.way.mx', { to: splitAddress(address).domain ?? address })
    : t('route.way.smarthost', { to: smarthost });
}

function viewLine(
  t: ReturnType<Web['pages']['translator']>,
  { address, deliverable, text, relay }: ReportLine,
): object {
  return {
    address: displayAddress(address),
    kind: deliverable ? 'ok' : 'bad',
    word: t(deliverable ? 'route.report.yes' : 'route.report.no'),
    ...{ text, relay },
  };
}
