import type { Router } from 'express';
import type { Web } from '../lib/web/web.js';

export function overviewRoutes(router: Router, { host, pages }: Web): void {
  router.get('/', host.requireRole('mail.read'), (req, res) => {
    const t = pages.translator(req);
    pages.page(req, res, {
      view: 'overview/index',
      title: t('overview.title'),
      menu: 'overview',
    });
  });
}
