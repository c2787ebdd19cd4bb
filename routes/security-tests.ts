/** A mail that a scanner has to find, sent from the page of that scanner, where it is told what became of it. */
import type { Request, Router } from 'express';
import { NotFoundError, type Problem } from '../lib/errors.js';
import type { SecuritySettings } from '../lib/security/schema.js';
import { viewSelfTest } from '../lib/security/self-test-view.js';
import type { SecurityService } from '../lib/security/service.js';
import type { TaskView } from '../lib/security/view.js';
import { SELF_TESTS, type SelfTest } from '../lib/security/work.js';
import { toPlainAddress } from '../lib/smarthost/address.js';
import { oneText, quote } from '../lib/web/fields.js';
import { showForm, type SettingsPage } from '../lib/web/settings-view.js';
import type { Web } from '../lib/web/web.js';
import { sendTask, type TaskPlaces } from './security-task.js';

const PATH = '/security/test';

/** What the form of a test needs; `saved` are the settings that hold. */
export function selfTestContext(
  { pages, has }: Web,
  service: SecurityService,
  req: Request,
  what: SelfTest,
  saved: SecuritySettings,
): object {
  const task = service.tests[what].last();
  const typed = oneText(req.body, 'testRecipient');
  return {
    task: selfTestView({ pages, has }, service, req, what),
    ...placesOf(req, what),
    selfTest: {
      what,
      action: req.baseUrl + PATH,
      recipient: typed === '' ? (task?.kind ?? '') : typed,
      possible: saved[what],
    },
    mayOperate: pages.may(req, 'mail.operate'),
  };
}

/** Where a test says how far it is, and the page it stands on, also where a refused form was sent to another address. */
function placesOf({ baseUrl }: Request, what: SelfTest): TaskPlaces {
  return { taskHref: `${baseUrl}${PATH}/${what}`, taskPage: `${baseUrl}/security/${what}` };
}

function selfTestView(
  { pages, has }: Pick<Web, 'pages' | 'has'>,
  service: SecurityService,
  req: Request,
  what: SelfTest,
): TaskView | null {
  const task = service.tests[what].last();
  const pageOf = (path: string): string => req.baseUrl + path;
  return task && viewSelfTest(pages.translator(req), pages.formats(req), has, pageOf, what, task);
}

/** `pageOf` gives the page whose form a test stands on. */
export function selfTestRoutes(
  router: Router,
  web: Web,
  service: SecurityService,
  pageOf: Readonly<Record<SelfTest, SettingsPage<SecuritySettings>>>,
): void {
  const { pages, host } = web;

  router.get(`${PATH}/:what`, host.requireRole('mail.read'), (req, res) => {
    const what = SELF_TESTS.find((one) => one === req.params['what']);
    if (what === undefined) throw new NotFoundError('test');
    sendTask(pages, req, res, selfTestView(web, service, req, what), placesOf(req, what));
  });

  router.post(PATH, host.requireRole('mail.operate'), async (req, res) => {
    const t = pages.translator(req);
    const what = SELF_TESTS.find((one) => one === oneText(req.body, 'what'));
    if (what === undefined) throw new NotFoundError('test');
    const typed = oneText(req.body, 'testRecipient').trim();
    const recipient = typed === '' ? '' : toPlainAddress(typed);
    const problems: Problem[] = [];
    if (recipient === null) {
      const values = { value: quote(typed) };
      problems.push({ key: 'security.problem.testRecipient', values, field: 'testRecipient' });
    } else {
      const subject = t(`security.selfTest.subject.${what}`);
      const text = t(`security.selfTest.message.${what}`);
      const order = { what, recipient, subject, text };
      if (service.test(order, pages.user(req).login) === null)
        problems.push({ key: 'security.problem.testRuns', values: {} });
    }
    const page = pageOf[what];
    if (problems.length === 0) {
      res.redirect(303, `${req.baseUrl}${page.path}#self-test`);
      return;
    }
    const current = await page.service.current();
    await showForm(web, page, req, res, {
      ...{ current, values: page.form.toForm(current.settings), version: current.version },
      ...{ status: 422, problems },
    });
  });
}
