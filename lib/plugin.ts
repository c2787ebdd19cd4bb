/**
 * `createPlugin(host)`: the one file that knows every feature.
 */
import { join } from 'node:path';
import { Router } from 'express';
import { baseRoutes } from '../routes/base.js';
import { historyRoutes } from '../routes/history.js';
import { overviewRoutes } from '../routes/overview.js';
import { createBaseService } from './base/service.js';
import { baseSource } from './base/source.js';
import { createChanges } from './changes/service.js';
import { createHelper } from './client/helper.js';
import type { Host, Plugin } from './contract.js';
import { migrateMail } from './database/mail-schema.js';
import { NotFoundError } from './errors.js';
import { createI18n } from './i18n.js';
import { createMachine } from './machine/service.js';
import { readManifest } from './manifest.js';
import { PACKAGE_ROOT } from './package-root.js';
import { createAssets } from './web/assets.js';
import { errorPages } from './web/error-page.js';
import { formBody } from './web/form-body.js';
import { createViews } from './web/views.js';
import { createWeb } from './web/web.js';

/** Builds the plugin on what the host gives. Mount `router`, then call `start()` once before serving. */
export function createPlugin(host: Host): Plugin {
  const { db, log } = host;
  const manifest = readManifest();
  const i18n = createI18n(join(PACKAGE_ROOT, manifest.locales), {
    product: host.brand.product,
    onProblem: (problem) => log.error({ problem }, 'a text is missing'),
  });
  const views = createViews(host.views, join(PACKAGE_ROOT, 'views'));
  const assets = createAssets(join(PACKAGE_ROOT, 'public'));

  const helper = host.helper === null ? null : createHelper(host.helper);
  const machine = createMachine(helper, ['base'], { log });
  const changes = createChanges({
    db,
    helper: host.helper,
    sources: [baseSource],
    log,
  });
  const base = createBaseService({ db, changes, machine });

  const pathOf = (section: string): string =>
    manifest.menu.flatMap(({ tabs = [] }) => tabs).find(({ id }) => id === section)?.path ?? '/';
  const web = createWeb({ host, i18n, views, assets, manifest, changes });
  const router = Router();
  router.use(assets.router);
  router.use(formBody());
  overviewRoutes(router, web);
  baseRoutes(router, web, base);
  historyRoutes(router, web, changes, pathOf);
  router.use(host.requireRole('mail.read'), () => {
    throw new NotFoundError('page');
  });
  router.use(errorPages(web));

  changes.onSettled(() => machine.forget());

  /** A change that a crash left open. It must not keep the console from starting: it is tried again by itself. */
  const recover = async (): Promise<void> => {
    try {
      const { settled, divergence, waiting } = await changes.recover();
      log.info({ settled: settled?.number ?? null, divergence, waiting }, 'changes looked after');
    } catch (error) {
      log.error({ err: error }, 'changes could not be looked after at the start');
    }
  };

  return {
    router,
    start: async () => {
      await migrateMail(db);
      await recover();
    },
    facts: () => Promise.resolve({ localDomain: false, localDomains: [] }),
    health: () => Promise.resolve({ status: 'ok', problems: [] }),
    close: () => changes.close(),
  };
}
