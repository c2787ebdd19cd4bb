/** A person's own account: who one is here, and a new password. */
import { Router, type Request, type Response } from 'express';
import { UserError, type Problem } from '../../errors.js';
import type { Frame } from '../web/frame.js';
import { text } from '../web/field.js';
import { levelOf, MIN_PASSWORD_LENGTH } from './schema.js';
import type { AccountService } from './service.js';

export function ownAccountRoutes(frame: Frame, accounts: AccountService) {
  const router = Router();

  const show = (req: Request, res: Response, problems: readonly Problem[], status = 200): void => {
    const t = frame.translator(req);
    const account = req.user;
    if (account === undefined) throw new Error('nobody is signed in');
    frame.page(
      req,
      res,
      {
        view: 'account',
        menu: 'account',
        title: t('console.account.title'),
        failed: problems.length > 0,
        status,
      },
      {
        account,
        level: levelOf(account.roles),
        minimum: MIN_PASSWORD_LENGTH,
        ...frame.problems(req, problems),
      },
    );
  };

  router.get('/account', (req, res) => show(req, res, []));

  router.post('/account/password', async (req, res) => {
    const account = req.user;
    if (account === undefined) throw new Error('nobody is signed in');
    const input = {
      current: text(req.body, 'currentPassword'),
      password: text(req.body, 'password'),
      repeated: text(req.body, 'repeatedPassword'),
    };
    try {
      await accounts.changeOwnPassword(account, input, req.sessionID);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      show(req, res, error.problems, 422);
      return;
    }
    req.session.notice = { key: 'console.account.changed', values: {} };
    res.redirect(303, '/account');
  });

  return router;
}
