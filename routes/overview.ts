import type { Router } from 'express';
import type { Host } from '../lib/contract.js';
import type { Pages } from '../lib/web/page.js';

export function overviewRoutes(
  router: Router,
  { host, pages }: { host: Host; pages: Pages },
): void {
  router.get('/', host.requireRole('mail.read'), (req, res) => {
    const t = pages.translator(req);
    pages.page(req, res, {
      view: 'overview/index',
      title: t('overview.title'),
      menu: 'overview',
    });
  });
}
