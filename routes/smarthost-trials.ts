/** What a test of the smarthost says, on its page and as the part that asks for itself while one is under way. */
import type { Request, Response, Router } from 'express';
import { NotFoundError, type Problem } from '../lib/errors.js';
import { isPlainAddress } from '../lib/smarthost/address.js';
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
    const t = pages.translator(req);
    const sender = oneText(req.body, 'testSender');
    const recipient = oneText(req.body, 'testRecipient');
    const problems = [
      ...addressProblem('testSender', sender),
      ...addressProblem('testRecipient', recipient),
    ];
    if (problems.length > 0) return refuse(req, res, problems);
    const text = `${t('smarthost.message.text', { sender, recipient })}\n`;
    const order = { sender, recipient, subject: t('smarthost.message.subject'), text };
    const id = service.sendMessage(order, pages.user(req).login);
    if (id === null) return refuse(req, res, [{ key: 'smarthost.problem.busy', values: {} }]);
    const from = oneText(req.body, 'from') === 'overview' ? '/' : SMARTHOST_PATH;
    res.redirect(303, `${req.baseUrl}${from}?test=${id}`);
  });
}

function addressProblem(field: string, text: string): readonly Problem[] {
  const values = { value: quote(text) };
  return isPlainAddress(text) ? [] : [{ key: 'smarthost.problem.address', values, field }];
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
