/** Settings and mail server went apart: what differs, and the decision that the saved settings shall hold. */
import type { Request, Response, Router } from 'express';
import type { Changes } from '../lib/changes/service.js';
import { HelperError } from '../lib/errors.js';
import { requestFailed, saveFailed } from '../lib/web/helper-notices.js';
import type { Notice } from '../lib/web/notice.js';
import { viewPreview, type PreviewView } from '../lib/web/preview.js';
import { savedQuery } from '../lib/web/saved-notice.js';
import type { Web } from '../lib/web/web.js';

const DIVERGENCE_PATH = '/history/divergence';

export function divergenceRoutes(router: Router, web: Web, changes: Changes): void {
  const { host, pages } = web;
  const admin = host.requireRole('mail.admin');

  router.get(DIVERGENCE_PATH, admin, (req, res) => show(req, res, 200, []));

  router.post(DIVERGENCE_PATH, admin, async (req, res) => {
    try {
      const change = await changes.save(await changes.reapply(pages.user(req).login));
      res.redirect(303, `${req.baseUrl}/history${savedQuery(change)}`);
    } catch (error) {
      if (!(error instanceof HelperError)) throw error;
      const failed = saveFailed(pages.translator(req), error.toFailure(), web.has);
      await show(req, res, 502, [failed]);
    }
  });

  const show = async (
    req: Request,
    res: Response,
    status: number,
    failed: readonly Notice[],
  ): Promise<void> => {
    const t = pages.translator(req);
    const notices = [...failed];
    let preview: PreviewView | null = null;
    try {
      const { result } = await changes.compare(pages.user(req).login);
      preview = viewPreview(t, [], result);
    } catch (error) {
      if (!(error instanceof HelperError)) throw error;
      if (notices.length === 0) notices.push(requestFailed(t, error.toFailure(), web.has));
    }
    const divergence = await changes.divergence();
    if (divergence === null && notices.length === 0) {
      res.redirect(303, `${req.baseUrl}/`);
      return;
    }
    pages.page(
      req,
      res,
      {
        view: 'divergence/index',
        title: t('divergence.title'),
        menu: 'history',
        status,
        failed: failed.length > 0,
      },
      {
        action: req.baseUrl + DIVERGENCE_PATH,
        back: `${req.baseUrl}/`,
        version: divergence?.systemChange ?? 0,
        why: divergence === null ? null : t(`divergence.why.${divergence.kind}`),
        preview,
        notices,
      },
    );
  };
}
