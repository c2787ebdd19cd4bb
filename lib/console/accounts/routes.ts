/** The console's accounts, for those who look after the console. */
import { Router, type Request, type Response } from 'express';
import { ConflictError, UserError, type Problem } from '../../errors.js';
import type { SystemPasswords } from '../sign-in/saslauthd.js';
import type { Frame } from '../web/frame.js';
import type { Guards } from '../web/guards.js';
import { text } from '../web/field.js';
import { checkForm, EMPTY_FORM, formOf, typedForm, type AccountForm } from './form.js';
import { levelOf, MAIL_LEVELS, MIN_PASSWORD_LENGTH, type Account } from './schema.js';
import type { AccountService } from './service.js';

export interface AccountRouteParts {
  readonly frame: Frame;
  readonly accounts: AccountService;
  readonly guards: Guards;
  readonly systemPasswords: SystemPasswords;
}

interface FormPage {
  readonly form: AccountForm;
  /** Null for a new account. */
  readonly account: Account | null;
  readonly problems?: readonly Problem[];
  readonly status?: number;
  /** Who else changed the account, while this form was open. */
  readonly conflict?: boolean;
}

export function accountRoutes({ frame, accounts, guards, systemPasswords }: AccountRouteParts) {
  const router = Router();
  router.use('/accounts', guards.role('console.admin'));

  const showForm = async (req: Request, res: Response, page: FormPage): Promise<void> => {
    const t = frame.translator(req);
    const { form, account, problems = [], conflict = false } = page;
    const failed = problems.length > 0 || conflict;
    const title =
      account === null
        ? t('console.accounts.new')
        : t('console.accounts.edit', { login: account.login });
    frame.page(
      req,
      res,
      { view: 'accounts/edit', menu: 'accounts', title, failed, status: page.status ?? 200 },
      {
        form,
        account: account ?? { id: '', version: 0, disabled: false, login: '' },
        conflict,
        levels: MAIL_LEVELS,
        minimum: MIN_PASSWORD_LENGTH,
        systemSignIn: form.kind === 'system' || (await systemPasswords.available()),
        own: account !== null && account.id === req.user?.id,
        seesMail: req.user?.roles.includes('mail.read') === true,
        ...frame.problems(req, problems),
      },
    );
  };

  /** Saves, and shows the form again with what is wrong or what somebody else did. */
  const save = async (
    req: Request,
    res: Response,
    page: FormPage,
    run: () => Promise<void>,
    done: string,
  ): Promise<void> => {
    try {
      await run();
    } catch (error) {
      if (error instanceof UserError) {
        await showForm(req, res, { ...page, problems: error.problems, status: 422 });
        return;
      }
      if (error instanceof ConflictError && page.account !== null) {
        const account = await accounts.get(page.account.id);
        await showForm(req, res, { ...page, account, conflict: true, status: 409 });
        return;
      }
      throw error;
    }
    req.session.notice = { key: done, values: { login: page.account?.login ?? page.form.login } };
    res.redirect(303, '/accounts');
  };

  router.get('/accounts', async (req, res) => {
    const list = (await accounts.list()).map((account) => ({
      ...account,
      level: levelOf(account.roles),
      manages: account.roles.includes('console.admin'),
      signedIn: account.signedInAt === null ? '' : frame.formats(req).moment(account.signedInAt),
    }));
    const title = frame.translator(req)('console.accounts.title');
    frame.page(req, res, { view: 'accounts/index', menu: 'accounts', title }, { list });
  });

  router.get('/accounts/new', (req, res) =>
    showForm(req, res, { form: EMPTY_FORM, account: null }),
  );

  router.post('/accounts/new', async (req, res) => {
    const form = typedForm(req.body);
    const actor = req.user?.login ?? '';
    await save(
      req,
      res,
      { form, account: null },
      async () => {
        const checked = checkForm(form);
        if ('problems' in checked) throw new UserError(checked.problems);
        await accounts.create(checked.settings, text(req.body, 'password'), actor);
      },
      'console.accounts.added',
    );
  });

  router.get('/accounts/:id', async (req, res) => {
    const account = await accounts.get(req.params.id);
    await showForm(req, res, { form: formOf(account), account });
  });

  router.post('/accounts/:id', async (req, res) => {
    const account = await accounts.get(req.params.id);
    const form = { ...typedForm(req.body), login: account.login, kind: account.kind };
    await save(
      req,
      res,
      { form, account },
      async () => {
        const checked = checkForm(form);
        if ('problems' in checked) throw new UserError(checked.problems);
        const version = Number(text(req.body, 'version'));
        await accounts.update(account.id, version, checked.settings, text(req.body, 'password'));
      },
      'console.accounts.saved',
    );
  });

  for (const [path, disabled] of [
    ['disable', true],
    ['enable', false],
  ] as const) {
    router.post(`/accounts/:id/${path}`, async (req: Request<{ id: string }>, res) => {
      const account = await accounts.get(req.params.id);
      const version = Number(text(req.body, 'version'));
      const done = `console.accounts.${path}d`;
      const page = { form: formOf(account), account };
      const run = () => accounts.setDisabled(account.id, version, disabled);
      await save(req as Request, res, page, run, done);
    });
  }

  router.get('/accounts/:id/remove', async (req, res) => {
    const account = await accounts.get(req.params.id);
    const title = frame.translator(req)('console.accounts.remove', { login: account.login });
    frame.page(req, res, { view: 'accounts/remove', menu: 'accounts', title }, { account });
  });

  router.post('/accounts/:id/remove', async (req, res) => {
    const account = await accounts.get(req.params.id);
    const version = Number(text(req.body, 'version'));
    const page = { form: formOf(account), account };
    const run = () => accounts.remove(account.id, version);
    await save(req as Request, res, page, run, 'console.accounts.removed');
  });

  return router;
}
