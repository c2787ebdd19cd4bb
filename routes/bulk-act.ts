/** Bulk mail: what is done with a mailing. */
import type { Request, Response, Router } from 'express';
import { formatAddress, parseAddress } from '../lib/aliases/address.js';
import type { BulkService } from '../lib/bulk/service.js';
import { ConflictError, HelperError, UserError, type Problem } from '../lib/errors.js';
import { isPlainAddress } from '../lib/smarthost/address.js';
import { oneText, quote, readFields } from '../lib/web/fields.js';
import { requestFailed } from '../lib/web/helper-notices.js';
import type { Web } from '../lib/web/web.js';
import { showDraft } from './bulk-draft.js';
import { BULK_PATH, bulkPage, bulkParts, shortSubject, showMailing } from './bulk.js';

const PATH = `${BULK_PATH}/:id`;

export function bulkActRoutes(router: Router, web: Web, service: BulkService): void {
  const { pages, host } = web;
  const operate = host.requireRole('mail.operate');
  const idOf = (req: Request): string => String(req.params['id']);
  const back = (req: Request, res: Response, more = ''): void =>
    res.redirect(303, `${req.baseUrl}${BULK_PATH}/${idOf(req)}${more}`);

  router.post(`${PATH}/send-test`, operate, async (req, res) => {
    const id = idOf(req);
    const { t } = bulkParts(web, req);
    const { login, name } = pages.user(req);
    const { values, problems } = readFields(req.body, ['to']);
    const typed = values['to'] ?? '';
    const to = addressOf(typed);
    const found = problems.length > 0 || to === null ? wrongAddress(problems, typed) : [];
    if (found.length > 0 || to === null) {
      await showDraft(web, service, req, res, id, { status: 422, problems: found, to: typed });
      return;
    }
    try {
      const queueId = await service.sendTest(id, to, { login, name });
      const title = t('bulk.test.sent', { address: typed });
      const paragraphs = [t('bulk.test.sent.text', { queueId })];
      await showDraft(web, service, req, res, id, {
        notices: [{ kind: 'ok', role: 'status', focus: true, title, paragraphs }],
        to: typed,
      });
    } catch (error) {
      if (!(error instanceof HelperError)) throw error;
      const notices = [requestFailed(t, error.toFailure(), web.has)];
      await showDraft(web, service, req, res, id, { status: 502, notices, to: typed });
    }
  });

  router.post(`${PATH}/send`, operate, async (req, res) => {
    const id = idOf(req);
    const { t } = bulkParts(web, req);
    const shown = {
      version: Number(oneText(req.body, 'version')) || 0,
      digest: oneText(req.body, 'recipients'),
    };
    try {
      await service.send(id, shown, pages.user(req).login);
      back(req, res);
    } catch (error) {
      // Whom it cannot go to at once stands on the page of the draft itself.
      if (error instanceof UserError) return showDraft(web, service, req, res, id, { status: 422 });
      if (!(error instanceof ConflictError)) throw error;
      const [title, text] = [t('bulk.changed.title'), t('bulk.changed.text')];
      await showDraft(web, service, req, res, id, {
        status: 409,
        notices: [{ kind: 'warn', role: 'alert', focus: true, title, paragraphs: [text] }],
      });
    }
  });

  router.post(`${PATH}/pause`, operate, async (req, res) => {
    await service.pause(idOf(req));
    back(req, res);
  });

  router.post(`${PATH}/resume`, operate, async (req, res) => {
    await service.resume(idOf(req));
    back(req, res);
  });

  router.post(`${PATH}/cancel`, operate, async (req, res) => {
    if (oneText(req.body, 'confirm') === 'yes') {
      await service.cancel(idOf(req));
      back(req, res);
      return;
    }
    await ask(req, res, 'cancel');
  });

  router.post(`${PATH}/remove`, operate, async (req, res) => {
    if (oneText(req.body, 'confirm') === 'yes') {
      await service.remove(idOf(req));
      res.redirect(303, `${req.baseUrl}${BULK_PATH}?removed=1`);
      return;
    }
    await ask(req, res, 'remove');
  });

  router.post(`${PATH}/decide`, operate, async (req, res) => {
    await service.decide(idOf(req), oneText(req.body, 'do') === 'again');
    back(req, res);
  });

  router.post(`${PATH}/again`, operate, async (req, res) => {
    try {
      const copy = await service.again(idOf(req), pages.user(req).login);
      res.redirect(303, `${req.baseUrl}${BULK_PATH}/${copy}`);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      const { t } = bulkParts(web, req);
      const title = t(error.problems[0]?.key ?? '');
      await showMailing(web, service, req, res, idOf(req), {
        status: 422,
        notices: [{ kind: 'warn', role: 'alert', focus: true, title, paragraphs: [] }],
      });
    }
  });

  const ask = async (req: Request, res: Response, what: 'cancel' | 'remove'): Promise<void> => {
    const { t, path } = bulkParts(web, req);
    const { mailing, counts } = await service.progress(idOf(req));
    const { subject } = mailing;
    const left = counts.waiting + counts.sending + counts.checking;
    const question = t(`bulk.${what}.question`, { subject, count: left });
    const title = t('bulk.showTitle', { subject: shortSubject(subject) });
    pages.page(req, res, bulkPage('question', title), {
      action: `${path}/${mailing.id}/${what}`,
      backHref: `${path}/${mailing.id}`,
      ...{ question, meaning: t(`bulk.${what}.meaning`, { count: left }) },
      ...{ keep: t(`bulk.${what}.keep`), save: t(`bulk.${what}.save`), notices: [] },
    });
  };
}

function addressOf(typed: string): string | null {
  const address = parseAddress(typed);
  if (!address?.domain) return null;
  const plain = formatAddress(address);
  return isPlainAddress(plain) ? plain : null;
}

function wrongAddress(problems: readonly Problem[], typed: string): readonly Problem[] {
  if (problems.length > 0) return problems;
  const example = 'anna@example.com';
  return [{ key: 'bulk.problem.to', values: { value: quote(typed), example }, field: 'to' }];
}
