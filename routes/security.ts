/** Security: the chain of the scanners, and the forms of spam and virus protection. */
import type { Request, Response, Router } from 'express';
import { fetchFor, viewLinks, type Gap } from '../lib/security/chain.js';
import { viewChain, viewState, viewTask, type TaskView } from '../lib/security/view.js';
import { spamForm, virusForm } from '../lib/security/form.js';
import { MAX_OBJECT_MB, MAX_SCORE, type SecuritySettings } from '../lib/security/schema.js';
import { missingPackages, packagesFor } from '../lib/security/packages.js';
import { memoryNotices } from '../lib/security/packages-view.js';
import type { ScannerStatus, SecurityService } from '../lib/security/service.js';
import { REPAIRS, UPDATES } from '../lib/security/work.js';
import { oneText } from '../lib/web/fields.js';
import { requestFailed } from '../lib/web/helper-notices.js';
import type { Notice } from '../lib/web/notice.js';
import { settingsRoutes } from '../lib/web/settings-page.js';
import type { SettingsPage } from '../lib/web/settings-view.js';
import type { Web } from '../lib/web/web.js';
import { PACKAGES_PATH, packagesRoutes } from './security-packages.js';
import { sendTask } from './security-task.js';
import { selfTestContext, selfTestRoutes } from './security-tests.js';

const PATH = '/security';
const BYTES_PER_MB = 1024 * 1024;

export function securityRoutes(router: Router, web: Web, service: SecurityService): void {
  const { pages, host } = web;

  /** Packages that a page's switch would want, and whether there is room for them. */
  const missing = async (req: Request, page: 'spam' | 'virus'): Promise<object> => {
    const { status } = await service.chain();
    const t = pages.translator(req);
    return {
      missing: status === null ? [] : missingPackages(status)[page],
      packagesHref: req.baseUrl + PACKAGES_PATH,
      room: page === 'virus' ? memoryNotices(t, pages.formats(req), status) : [],
    };
  };

  const spamPage: SettingsPage<SecuritySettings> = {
    path: `${PATH}/spam`,
    view: 'security/spam',
    menu: 'security',
    tab: 'spam',
    title: 'security.spam.title',
    section: 'security',
    form: spamForm,
    service,
    context: async (req, { settings }) => ({
      ...(await missing(req, 'spam')),
      maxScore: MAX_SCORE,
      virusHref: `${req.baseUrl}${PATH}/virus`,
      keepHint: pages.translator(req)(`security.hint.keepLevel.${settings.place}`),
      chainHref: req.baseUrl + PATH,
      updateHref: `${req.baseUrl}${PATH}/update`,
      ...selfTestContext(web, service, req, 'spam', settings),
    }),
  };

  const virusPage: SettingsPage<SecuritySettings> = {
    path: `${PATH}/virus`,
    view: 'security/virus',
    menu: 'security',
    tab: 'virus',
    title: 'security.virus.title',
    section: 'security',
    form: virusForm,
    service,
    context: async (req, { machine, settings }, values) => ({
      ...(await missing(req, 'virus')),
      maxObject: MAX_OBJECT_MB,
      sizeMeans: sizeMeans(
        req,
        Number(machine?.effective['message_size_limit'] ?? 0),
        Number(values['largestObjectMb']),
      ),
      chainHref: req.baseUrl + PATH,
      updateHref: `${req.baseUrl}${PATH}/update`,
      ...selfTestContext(web, service, req, 'virus', settings),
    }),
  };

  settingsRoutes(router, web, spamPage);
  settingsRoutes(router, web, virusPage);
  packagesRoutes(router, web, service);
  selfTestRoutes(router, web, service, { spam: spamPage, virus: virusPage });

  router.get(PATH, host.requireRole('mail.read'), async (req, res) => {
    await show(req, res, 200, await web.edited(req, 'security'));
  });

  router.get(`${PATH}/task`, host.requireRole('mail.read'), async (req, res) => {
    const { kind, now } = service.tasks.last() ?? {};
    const installed = kind === 'install' && now?.state === 'done';
    const { status } = installed ? await service.chain() : { status: null };
    sendTask(pages, req, res, taskOf(req, status), {
      taskHref: `${req.baseUrl}${PATH}/task`,
      taskPage: req.baseUrl + PATH,
    });
  });

  router.post(`${PATH}/repair`, host.requireRole('mail.admin'), async (req, res) => {
    const asked = oneText(req.body, 'part');
    const parts = asked === 'all' ? REPAIRS : REPAIRS.filter((one) => one === asked);
    if (parts.length === 0) {
      await show(req, res, 422, [noticeOf(req, 'bad', 'unknown')]);
      return;
    }
    // What amavis asks is looked at first, also when amavis alone is missing.
    const id = service.repair(parts, pages.user(req).login);
    if (id === null) {
      await show(req, res, 409, [noticeOf(req, 'warn', 'busy')]);
      return;
    }
    res.redirect(303, req.baseUrl + PATH);
  });

  router.post(`${PATH}/update`, host.requireRole('mail.admin'), async (req, res) => {
    const asked = oneText(req.body, 'what');
    const what = UPDATES.find((one) => one === asked);
    if (what === undefined) {
      await show(req, res, 422, [noticeOf(req, 'bad', 'unknown')]);
      return;
    }
    const id = service.update(what, await host.proxy(), pages.user(req).login);
    if (id === null) {
      await show(req, res, 409, [noticeOf(req, 'warn', 'busy')]);
      return;
    }
    res.redirect(303, req.baseUrl + PATH);
  });

  const noticeOf = (req: Request, kind: 'bad' | 'warn', name: 'unknown' | 'busy'): Notice => {
    const t = pages.translator(req);
    const key = `security.repair.${name}`;
    return { kind, role: 'alert', title: t(`${key}.title`), paragraphs: [t(`${key}.text`)] };
  };

  const taskOf = (req: Request, status: ScannerStatus | null): TaskView | null => {
    const task = service.tasks.last();
    return task && viewTask(pages.translator(req), pages.formats(req), web.has, task, status);
  };

  const show = async (
    req: Request,
    res: Response,
    status: number,
    notices: readonly Notice[],
  ): Promise<void> => {
    const t = pages.translator(req);
    const { status: seen, gaps, failure } = await service.chain();
    const now = new Date();
    const away = failure === null ? [] : [requestFailed(t, failure.toFailure(), web.has)];
    pages.page(
      req,
      res,
      {
        view: 'security/index',
        title: t('security.title'),
        menu: 'security',
        tab: 'chain',
        status,
        failed: status >= 400,
      },
      {
        notices: [...notices, ...away],
        state: seen === null ? null : viewState(t, seen, gaps),
        chain: seen === null ? null : viewChain(t, viewLinks(seen, now)),
        facts: seen === null ? [] : factsOf(req, seen),
        gaps: gaps.map((gap) => gapView(req, gap)),
        packagesHref: req.baseUrl + PACKAGES_PATH,
        repairable: gaps.some(({ repair }) => repair !== null),
        readOnly: !pages.may(req, 'mail.admin'),
        action: `${req.baseUrl}${PATH}/repair`,
        updateHref: `${req.baseUrl}${PATH}/update`,
        task: taskOf(req, seen),
        taskHref: `${req.baseUrl}${PATH}/task`,
        taskPage: req.baseUrl + PATH,
      },
    );
  };

  const gapView = (req: Request, gap: Gap): object => {
    const t = pages.translator(req);
    const { key, values, severity, repair } = gap;
    const fetched = fetchFor(gap);
    return {
      kind: severity,
      title: t(key, values),
      text: t(`${key}.meaning`),
      repair: repair ?? '',
      fetched: fetched ?? '',
      packages: packagesFor(key).join(' '),
      button:
        repair !== null
          ? t(`security.repair.${repair}`)
          : fetched === null
            ? ''
            : t(`security.update.${fetched}`),
    };
  };

  const factsOf = (
    req: Request,
    { clamav, spamassassin }: NonNullable<Awaited<ReturnType<SecurityService['chain']>>['status']>,
  ): readonly string[] => {
    const t = pages.translator(req);
    const format = pages.formats(req);
    const { signatures } = clamav;
    const { rules } = spamassassin;
    const facts: string[] = [];
    if (signatures) {
      const when = format.moment(new Date(signatures.at));
      facts.push(
        signatures.version === null
          ? t('security.facts.localSignatures', { when })
          : t('security.facts.signatures', { version: String(signatures.version), when }),
      );
    }
    if (rules) facts.push(t('security.facts.rules', { when: format.moment(new Date(rules.at)) }));
    return facts;
  };

  /** What the largest object means beside the largest mail; '' when nothing can be said. */
  const sizeMeans = (req: Request, mailBytes: number, objectMb: number): string => {
    if (!Number.isFinite(objectMb) || objectMb <= 0) return '';
    const t = pages.translator(req);
    const format = pages.formats(req);
    if (mailBytes === 0)
      return t('security.means.unlimited', { object: format.megabytes(objectMb, 0) });
    const mail = format.megabytes(mailBytes / BYTES_PER_MB, 1);
    const key = objectMb * BYTES_PER_MB < mailBytes ? 'smaller' : 'larger';
    return t(`security.means.${key}`, { mail, object: format.megabytes(objectMb, 0) });
  };
}
