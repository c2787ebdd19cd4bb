/**
 * `createPlugin(host)`: the one file that knows every feature.
 */
import { join } from 'node:path';
import { Router } from 'express';
import { overviewRoutes } from '../routes/overview.js';
import type { Host, Plugin } from './contract.js';
import { createI18n } from './i18n.js';
import { readManifest } from './manifest.js';
import { PACKAGE_ROOT } from './package-root.js';
import { createAssets } from './web/assets.js';
import { createPages } from './web/page.js';
import { createViews } from './web/views.js';

/** Builds the plugin on what the host gives. Mount `router`, then call `start()` once before serving. */
export function createPlugin(host: Host): Plugin {
  const manifest = readManifest();
  const i18n = createI18n(join(PACKAGE_ROOT, manifest.locales), {
    product: host.brand.product,
    onProblem: (problem) => host.log.error({ problem }, 'a text is missing'),
  });
  const views = createViews(host.views, join(PACKAGE_ROOT, 'views'));
  const assets = createAssets(join(PACKAGE_ROOT, 'public'));
  const pages = createPages({ host, i18n, views, assets, manifest });

  const router = Router();
  router.use(assets.router);
  overviewRoutes(router, { host, pages });

  return {
    router,
    start: () => Promise.resolve(),
    facts: () => Promise.resolve({ localDomain: false, localDomains: [] }),
    health: () => Promise.resolve({ status: 'ok', problems: [] }),
    close: () => Promise.resolve(),
  };
}
