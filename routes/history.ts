/** Taking a change back, from the notice that says that it was made. */
import type { Router } from 'express';
import type { Changes } from '../lib/changes/service.js';
import { savedQuery } from '../lib/web/saved-notice.js';
import type { Web } from '../lib/web/web.js';

export function historyRoutes(
  router: Router,
  { host, pages }: Web,
  changes: Pick<Changes, 'get' | 'save' | 'undo'>,
  /** Where a section's page is, below the mount point. */
  pathOf: (section: string) => string,
): void {
  router.post('/history/:id/undo', host.requireRole('mail.admin'), async (req, res) => {
    const change = await changes.get(String(req.params['id']));
    const back = await changes.save(changes.undo([change], { actor: pages.user(req).login }));
    res.redirect(303, req.baseUrl + pathOf(change.sections[0] ?? '') + savedQuery(back));
  });
}
