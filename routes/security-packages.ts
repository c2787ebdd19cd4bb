/** Packages that are missing: what apt would install is shown first, and done on yes. */
import type { Request, Response, Router } from 'express';
import { HelperError, NotFoundError } from '../lib/errors.js';
import { isPackage, type PackageName } from '../lib/security/packages.js';
import { viewPackages } from '../lib/security/packages-view.js';
import type { SecurityService } from '../lib/security/service.js';
import { oneText } from '../lib/web/fields.js';
import { requestFailed } from '../lib/web/helper-notices.js';
import type { Notice } from '../lib/web/notice.js';
import type { Web } from '../lib/web/web.js';

export const PACKAGES_PATH = '/security/packages';

export function packagesRoutes(router: Router, web: Web, service: SecurityService): void {
  const { pages, host } = web;
  const admin = host.requireRole('mail.admin');

  router.post(PACKAGES_PATH, admin, async (req, res) => {
    await show(req, res, namesOf(req), 200, []);
  });

  router.post(`${PACKAGES_PATH}/install`, admin, async (req, res) => {
    const names = namesOf(req);
    if (service.install(names, pages.user(req).login) === null) {
      const t = pages.translator(req);
      const title = t('security.repair.busy.title');
      const paragraphs = [t('security.packages.busy')];
      await show(req, res, names, 409, [{ kind: 'warn', role: 'alert', title, paragraphs }]);
      return;
    }
    res.redirect(303, `${req.baseUrl}/security`);
  });

  const show = async (
    req: Request,
    res: Response,
    names: readonly PackageName[],
    status: number,
    notices: readonly Notice[],
  ): Promise<void> => {
    const t = pages.translator(req);
    const info = {
      ...{ view: 'security/packages', title: t('security.packages.title') },
      ...{ menu: 'security', tab: 'chain' },
    };
    const context = {
      names: names.join(' '),
      action: `${req.baseUrl}${PACKAGES_PATH}/install`,
      backHref: `${req.baseUrl}/security`,
    };
    try {
      const plan = await service.plan(names, pages.user(req).login);
      const view = viewPackages(t, pages.formats(req), names, plan);
      pages.page(
        req,
        res,
        { ...info, status, failed: status >= 400 },
        { ...context, notices, plan: view, lab: plan.lab },
      );
    } catch (error) {
      if (!(error instanceof HelperError)) throw error;
      const failure = requestFailed(t, error.toFailure(), web.has);
      pages.page(
        req,
        res,
        { ...info, status: 502, failed: true },
        { ...context, notices: [...notices, failure], plan: null, lab: false },
      );
    }
  };
}

/** Throws for anything that is not of the list. */
function namesOf(req: Request): readonly PackageName[] {
  const names = [...new Set(oneText(req.body, 'packages').split(' '))];
  if (!names.every(isPackage)) throw new NotFoundError('package');
  return names;
}
