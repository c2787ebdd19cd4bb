/** The appliance's way to the internet, as far as this console is concerned: its HTTP proxy. */
import { Router, type Request, type Response } from 'express';
import { text } from '../web/field.js';
import type { Frame } from '../web/frame.js';
import type { Guards } from '../web/guards.js';
import { networkSchema } from './schema.js';
import type { NetworkStore } from './store.js';

export function networkRoutes(frame: Frame, network: NetworkStore, guards: Guards) {
  const router = Router();
  router.use('/network', guards.role('console.admin'));

  const show = (
    req: Request,
    res: Response,
    page: { proxy: string; version: number; status?: number; problem?: string; conflict?: boolean },
  ): void => {
    const { status = 200, problem, conflict = false } = page;
    const problems = problem === undefined ? [] : [{ key: problem, values: {}, field: 'proxy' }];
    const title = frame.translator(req)('console.network.title');
    const failed = status !== 200;
    frame.page(
      req,
      res,
      { view: 'network', menu: 'network', title, status, failed },
      {
        proxy: page.proxy,
        version: page.version,
        conflict,
        ...frame.problems(req, problems),
      },
    );
  };

  router.get('/network', async (req, res) => {
    const { settings, version } = await network.read();
    show(req, res, { proxy: settings.proxy, version });
  });

  router.post('/network', async (req, res) => {
    const proxy = text(req.body, 'proxy');
    const version = Number(text(req.body, 'version'));
    const checked = networkSchema.validate({ proxy });
    if (checked.error !== undefined) {
      show(req, res, { proxy, version, status: 422, problem: 'console.network.problem.proxy' });
      return;
    }
    if (!(await network.write(checked.value, version, req.user?.login ?? ''))) {
      const now = await network.read();
      show(req, res, { proxy, version: now.version, status: 409, conflict: true });
      return;
    }
    req.session.notice = { key: 'console.network.saved', values: {} };
    res.redirect(303, '/network');
  });

  return router;
}
