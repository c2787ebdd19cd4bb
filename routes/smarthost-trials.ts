/** What a test of the smarthost says, on its page and as the part that asks for itself while one is under way. */
import type { Request, Response, Router } from 'express';
import { NotFoundError, type Problem } from '../lib/errors.js';
import { toPlainAddress } from '../lib/smarthost/address.js';
import type { SmarthostService } from '../lib/smarthost/service.js';
import { viewAnswer, type AnswerView } from '../lib/smarthost/trial-view.js';
import { oneText, quote } from '../lib/web/fields.js';
import { requestFailed } from '../lib/web/helper-notices.js';
import type { Notice } from '../lib/web/notice.js';
import type { Web } from '../lib/web/web.js';

export const SMARTHOST_PATH = '/configuration/smarthost';

export interface TrialView {
  readonly running: boolean;
  /** Where the part asks for itself. */
  readonly href: string;
  readonly answer: AnswerView | null;
  readonly notice: Notice | null;
}

/** Shows the page again with what was wrong. */
type Refuse = (req: Request, res: Response, problems: readonly Problem[]) => Promise<void>;

export function trialRoutes(
  router: Router,
  web: Web,
  service: SmarthostService,
  refuse: Refuse,
): void {
  const { pages, host } = web;

  router.get(
    `${SMARTHOST_PATH}/test/:id`,
    host.requireRole('mail.read'),
    (req: Request<{ id: string }>, res) => {
      const trial = viewTrial(web, service, req, req.params.id);
      if (trial === null) throw new NotFoundError('test');
      pages.part(req, res, 'smarthost/trial-part', { trial });
    },
  );

  router.post(`${SMARTHOST_PATH}/message`, host.requireRole('mail.operate'), async (req, res) => {
    const { id, problems } = sendTest(web, service, req);
    if (id === null) return refuse(req, res, problems);
    res.redirect(303, `${req.baseUrl}${SMARTHOST_PATH}?test=${id}`);
  });
}

/** Sends a test message as typed; `id` is the test's, null where something was wrong. */
export function sendTest(
  { pages }: Web,
  service: SmarthostService,
  req: Request,
): { readonly id: string | null; readonly problems: readonly Problem[] } {
  const t = pages.translator(req);
  const read = (field: string): { address: string; problems: readonly Problem[] } => {
    const typed = oneText(req.body, field).trim();
    const address = toPlainAddress(typed);
    const values = { value: quote(typed) };
    return address === null
      ? { address: '', problems: [{ key: 'smarthost.problem.address', values, field }] }
      : { address, problems: [] };
  };
  const from = read('testSender');
  const to = read('testRecipient');
  const problems = [...from.problems, ...to.problems];
  if (problems.length > 0) return { id: null, problems };
  const order = { sender: from.address, recipient: to.address };
  const text = `${t('smarthost.message.text', order)}\n`;
  const subject = t('smarthost.message.subject');
  const id = service.sendMessage({ ...order, subject, text }, pages.user(req).login);
  return { id, problems: id === null ? [{ key: 'smarthost.problem.busy', values: {} }] : [] };
}

/** A test as the page shows it; null when there is none of this name for this person. */
export function viewTrial(
  { pages, has }: Web,
  service: SmarthostService,
  req: Request,
  id: string,
): TrialView | null {
  const trial = service.trials.find(id, pages.user(req).login);
  if (trial === null) return null;
  const t = pages.translator(req);
  const base = { href: `${req.baseUrl}${SMARTHOST_PATH}/test/${id}`, answer: null, notice: null };
  switch (trial.now.state) {
    case 'running':
      return { ...base, running: true };
    case 'failed':
      return { ...base, running: false, notice: requestFailed(t, trial.now.failure, has) };
    case 'done': {
      const answer = viewAnswer(t, trial.now.result);
      return { ...base, running: false, answer };
    }
  }
}
