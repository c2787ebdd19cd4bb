/** The mail queue: actions that run in the background, watched and stopped. */
import type { Request, Router } from 'express';
import { NotFoundError } from '../lib/errors.js';
import { viewJob } from '../lib/queue/job-view.js';
import type { QueueService } from '../lib/queue/service.js';
import type { QueueJob } from '../lib/queue/store.js';
import { wantsPart } from '../lib/web/page.js';
import type { Web } from '../lib/web/web.js';
import { QUEUE_PATH, queueParts } from './queue.js';

const PATH = `${QUEUE_PATH}/jobs/:job`;
/** Seconds after which a browser without a script asks again. */
const REFRESH_S = 2;

export function queueJobsRoutes(router: Router, web: Web, queue: QueueService): void {
  const { pages, host } = web;

  router.get(PATH, host.requireRole('mail.read'), async (req, res) => {
    const { t, format, path } = queueParts(web, req);
    const job = viewJob(t, format, path, await find(queue, req));
    const words =
      job.failureKey === ''
        ? ''
        : web.has(job.failureKey)
          ? t(job.failureKey)
          : t('helper.unnamed');
    const context = { path, job, words };
    if (wantsPart(req)) {
      // The list beside it is fetched anew.
      if (!job.running) res.set('HX-Trigger', 'queue-changed');
      pages.part(req, res, 'queue/job-part', context);
      return;
    }
    pages.page(
      req,
      res,
      { view: 'queue/job', title: job.title, menu: 'queue' },
      {
        ...context,
        notices: [],
        refresh: job.running ? REFRESH_S : 0,
      },
    );
  });

  router.post(`${PATH}/cancel`, host.requireRole('mail.operate'), async (req, res) => {
    const job = await find(queue, req);
    await queue.jobs.cancel(job.id);
    res.redirect(303, `${req.baseUrl}${QUEUE_PATH}/jobs/${job.id}`);
  });
}

async function find(queue: QueueService, req: Request): Promise<QueueJob> {
  const id = String(req.params['job']);
  const job = /^\d{1,18}$/.test(id) ? await queue.jobs.get(id) : null;
  if (job === null) throw new NotFoundError(`job ${id}`);
  return job;
}
