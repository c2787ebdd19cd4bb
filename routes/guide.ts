/** Putting the first steps away, and getting them back. They stand on the overview. */
import type { Router } from 'express';
import type { GuideService } from '../lib/guide/service.js';
import { oneText } from '../lib/web/fields.js';
import type { Web } from '../lib/web/web.js';

export const GUIDE_PATH = '/guide';

export function guideRoutes(router: Router, { pages, host }: Web, service: GuideService): void {
  router.post(GUIDE_PATH, host.requireRole('mail.admin'), async (req, res) => {
    if (oneText(req.body, 'intent') === 'show') await service.show();
    else await service.hide(pages.user(req).login);
    res.redirect(303, `${req.baseUrl}/`);
  });
}
