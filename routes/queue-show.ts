/** The mail queue: one message, and its source as a file. */
import type { Request, Response, Router } from 'express';
import { HelperError, NotFoundError } from '../lib/errors.js';
import { failureNotice } from '../lib/queue/failure-view.js';
import { isQueueId } from '../lib/queue/id.js';
import { viewLog, viewMessage } from '../lib/queue/message-view.js';
import type { QueueService } from '../lib/queue/service.js';
import { oneText } from '../lib/web/fields.js';
import type { Web } from '../lib/web/web.js';
import { QUEUE_PATH, queueParts } from './queue.js';

const PATH = `${QUEUE_PATH}/:id`;

export function queueShowRoutes(router: Router, web: Web, queue: QueueService): void {
  const { pages, host } = web;
  const read = host.requireRole('mail.read');

  router.get(PATH, read, async (req, res) => {
    const id = idOf(req);
    const parts = queueParts(web, req);
    const { t, path } = parts;
    const looked = await queue.show(id, pages.user(req).login).catch((error: unknown) => {
      if (!(error instanceof HelperError)) throw error;
      showFailure(req, res, id, error);
    });
    if (looked === undefined) return;
    const { message, log } = looked;
    if (message === null) {
      showGone(req, res, id, log);
      return;
    }
    const view = await viewMessage(parts, message, log);
    pages.page(
      req,
      res,
      {
        view: 'queue/show',
        title: t('queue.show.title', { id }),
        heading: view.title,
        menu: 'queue',
      },
      { path, notices: [], message: view, rawHref: `${path}/${id}/raw` },
    );
  });

  router.get(`${PATH}/raw`, read, async (req, res) => {
    const id = idOf(req);
    const plain = oneText(req.query, 'as') === 'text';
    const abort = new AbortController();
    const closed = new Promise<void>((resolve) => res.once('close', resolve));
    void closed.then(() => abort.abort());
    const begin = (): void => {
      res.set({
        'Content-Type': plain ? 'text/plain; charset=utf-8' : 'message/rfc822',
        'Content-Disposition': `attachment; filename="${id}.${plain ? 'txt' : 'eml'}"`,
        'Content-Security-Policy': "default-src 'none'; sandbox",
        'X-Content-Type-Options': 'nosniff',
        'Cache-Control': 'no-store',
      });
    };
    try {
      await queue.download(id, pages.user(req).login, {
        signal: abort.signal,
        take: async (piece) => {
          if (!res.headersSent) begin();
          if (!res.write(piece) && !abort.signal.aborted) await drained(res, closed);
        },
      });
      if (!res.headersSent) begin();
      res.end();
    } catch (error) {
      if (error instanceof NotFoundError && !res.headersSent) {
        showGone(req, res, id, []);
        return;
      }
      if (error instanceof HelperError && !res.headersSent) {
        showFailure(req, res, id, error);
        return;
      }
      if (!res.headersSent) throw error;
      // Half a file must not look whole.
      res.destroy(error as Error);
    }
  });

  const showFailure = (req: Request, res: Response, id: string, error: HelperError): void => {
    const { t, path } = queueParts(web, req);
    const notice = failureNotice(t, web.has, error.toFailure(), { asked: 'show', shown: '' });
    const title = t('queue.show.title', { id });
    pages.page(
      req,
      res,
      { view: 'queue/away', title, menu: 'queue', status: 502, failed: true },
      { path, notices: [notice], hereHref: `${path}/${id}` },
    );
  };

  const showGone = (req: Request, res: Response, id: string, log: readonly string[]): void => {
    const { t, path } = queueParts(web, req);
    pages.page(
      req,
      res,
      { view: 'queue/gone', title: t('queue.gone.title', { id }), menu: 'queue', status: 404 },
      { path, notices: [], id, log: viewLog(log) },
    );
  };
}

/** Resolves when more can be written, or nobody reads any more; leaves no listener behind. */
async function drained(res: Response, closed: Promise<void>): Promise<void> {
  let drain: () => void = () => undefined;
  const room = new Promise<void>((resolve) => (drain = resolve));
  res.once('drain', drain);
  await Promise.race([room, closed]);
  res.off('drain', drain);
}

function idOf(req: Request): string {
  const id = String(req.params['id']);
  if (!isQueueId(id)) throw new NotFoundError('message');
  return id;
}
