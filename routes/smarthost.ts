/** Smarthost: the server that takes our mail to outside. Show, preview, save, and test what is typed. */
import type { Request, Response, Router } from 'express';
import { ConflictError, HelperError, UserError } from '../lib/errors.js';
import { smarthostForm } from '../lib/smarthost/form.js';
import type { Decided, TypedPassword } from '../lib/smarthost/password.js';
import type { SmarthostSettings } from '../lib/smarthost/schema.js';
import type { SmarthostService } from '../lib/smarthost/service.js';
import type { TrialForm } from '../lib/smarthost/trials.js';
import type { Current, Wanted } from '../lib/settings/service.js';
import { conflictTitle } from '../lib/web/conflict.js';
import { oneText } from '../lib/web/fields.js';
import { saveFailed } from '../lib/web/helper-notices.js';
import type { Notice } from '../lib/web/notice.js';
import { problemsAtFields } from '../lib/web/problems.js';
import { savedQuery } from '../lib/web/saved-notice.js';
import { typedValues, wantedSettings } from '../lib/web/settings-form.js';
import { conflictOf, previewOf, showForm, type SettingsPage } from '../lib/web/settings-view.js';
import type { Web } from '../lib/web/web.js';
import { SMARTHOST_PATH, trialRoutes, viewTrial } from './smarthost-trials.js';

/** Stands for a password while the other settings are read: what it really is, is decided after them. */
const SOME_PASSWORD = 'mb1.undecided';

/** How often a page without a script looks whether a test has ended, in seconds. */
const RELOAD_S = 2;

/** What the page shows beside the form. */
interface Extra {
  /** Of a typed password that waits for this form, '' for none. */
  readonly reference: string;
  readonly trial: string;
  /** It was asked for a test message: nothing would have been saved. */
  readonly asked?: boolean;
}

export function smarthostRoutes(router: Router, web: Web, service: SmarthostService): void {
  const { pages, host } = web;
  const page = (extra: Extra): SettingsPage<SmarthostSettings> => ({
    path: SMARTHOST_PATH,
    view: 'smarthost/index',
    menu: 'configuration',
    tab: 'smarthost',
    form: smarthostForm,
    service,
    context: (req, current) => {
      const trial = viewTrial(web, service, req, extra.trial);
      const guessed = service.addresses(current.settings, pages.user(req), current.machine);
      return {
        asked: extra.asked ?? false,
        hasPassword: current.settings.password !== '',
        reference: extra.reference,
        trial,
        refresh: trial?.running ? RELOAD_S : 0,
        addresses: {
          sender: oneText(req.body, 'testSender') || guessed.sender,
          recipient: oneText(req.body, 'testRecipient') || guessed.recipient,
        },
        messageAction: `${req.baseUrl}${SMARTHOST_PATH}/message`,
        mayOperate: pages.may(req, 'mail.operate'),
        sends: current.settings.host !== '',
      };
    },
  });

  router.get(SMARTHOST_PATH, host.requireRole('mail.read'), async (req, res) => {
    const current = await service.current();
    const id = oneText(req.query, 'test');
    const trial = service.trials.find(id, pages.user(req).login);
    const form = trial?.form ?? null;
    await showForm(web, page({ reference: form?.reference ?? '', trial: id }), req, res, {
      current,
      values: form?.values ?? smarthostForm.toForm(current.settings),
      version: form?.version ?? current.version,
      status: 200,
      notices: [...goneNotice(req, id, trial === null), ...(await web.saved(req))],
    });
  });

  router.post(SMARTHOST_PATH, host.requireRole('mail.admin'), async (req, res) => {
    const current = await service.current();
    const owner = pages.user(req).login;
    let decided: Decided | null = null;
    let wanted: Wanted<SmarthostSettings> | null = null;
    try {
      const read = readWanted(req, current);
      decided = await service.decide(typedPassword(req), read.settings, current.settings, owner);
      wanted = { ...read, settings: { ...read.settings, password: decided.box } };
      switch (oneText(req.body, 'intent')) {
        case 'preview':
          return await preview(req, res, current, wanted, decided);
        case 'test':
          return test(req, res, current, wanted, decided);
        default:
          res.redirect(303, pathOf(req) + savedQuery(await service.save(wanted)));
      }
    } catch (error) {
      const kept = wanted && decided ? keep(wanted.settings, decided, owner) : '';
      if (error instanceof ConflictError && wanted !== null) {
        await conflict(req, res, error, wanted.settings, kept);
      } else {
        await refuse(req, res, error, current, kept);
      }
    }
  });

  trialRoutes(router, web, service, async (req, res, problems) => {
    const current = await service.current();
    await showForm(web, page({ reference: '', trial: '', asked: true }), req, res, {
      current,
      values: smarthostForm.toForm(current.settings),
      version: current.version,
      status: 422,
      problems,
    });
  });

  /** The settings as typed, all but the password. Throws `UserError` with everything that is wrong. */
  const readWanted = (
    req: Request,
    current: Current<SmarthostSettings>,
  ): Wanted<SmarthostSettings> => {
    const { text, remove } = typedPassword(req);
    if (remove && text !== '') {
      throw new UserError({ key: 'smarthost.problem.removeTyped', values: {}, field: 'password' });
    }
    const body = req.body as Readonly<Record<string, unknown>>;
    if (text === '' && !remove && namesUserOfNobody(body, current.settings)) {
      throw new UserError({
        key: 'smarthost.problem.host.missingForUser',
        values: {},
        field: 'host',
      });
    }
    const login = remove ? { username: '' } : {};
    // To test is to look: the version matters as little as it does for a preview.
    const intent = oneText(body, 'intent') === 'test' ? { intent: 'preview' } : {};
    const fields = { ...body, ...login, ...intent, password: SOME_PASSWORD };
    return wantedSettings(smarthostForm, fields, current, pages.user(req).login, web);
  };

  /** A password that was typed into this form waits until the form comes again. */
  const keep = (settings: SmarthostSettings, { box, fresh }: Decided, owner: string): string =>
    fresh ? service.passwords.keep(box, settings, owner) : '';

  const preview = async (
    req: Request,
    res: Response,
    current: Current<SmarthostSettings>,
    wanted: Wanted<SmarthostSettings>,
    decided: Decided,
  ): Promise<void> => {
    const { result } = await service.preview(wanted);
    const reference = keep(wanted.settings, decided, wanted.actor);
    await showForm(web, page({ reference, trial: '' }), req, res, {
      current,
      values: smarthostForm.toForm(wanted.settings),
      version: wanted.version,
      status: 200,
      preview: previewOf(web, smarthostForm, req, current, wanted, result),
    });
  };

  const test = (
    req: Request,
    res: Response,
    current: Current<SmarthostSettings>,
    { settings, version, actor }: Wanted<SmarthostSettings>,
    decided: Decided,
  ): void => {
    if (settings.host === '') {
      throw new UserError({ key: 'smarthost.problem.nothingToTest', values: {}, field: 'host' });
    }
    const order = service.addresses(settings, pages.user(req), current.machine);
    const form: TrialForm = {
      values: smarthostForm.toForm(settings),
      reference: keep(settings, decided, actor),
      version,
    };
    const id = service.testConnection(settings, order, actor, form);
    if (id === null) throw new UserError({ key: 'smarthost.problem.busy', values: {} });
    res.redirect(303, `${pathOf(req)}?test=${id}`);
  };

  const conflict = async (
    req: Request,
    res: Response,
    error: ConflictError,
    mine: SmarthostSettings,
    reference: string,
  ): Promise<void> => {
    const current = await service.current();
    const t = pages.translator(req);
    const view = conflictOf(
      web,
      page({ reference, trial: '' }),
      req,
      error,
      mine,
      current.settings,
    );
    if (view === null && reference === '') {
      res.redirect(303, pathOf(req) + savedQuery(null));
      return;
    }
    if (view === null) {
      // The two may differ in their passwords, which nothing can show.
      const title = conflictTitle(t, pages.formats(req), error);
      await showForm(web, page({ reference, trial: '' }), req, res, {
        current,
        values: smarthostForm.toForm(mine),
        version: error.version,
        status: 409,
        notices: [{ kind: 'warn', title, paragraphs: [t('smarthost.conflict.password')] }],
      });
      return;
    }
    const info = { view: '_kit/conflict', menu: 'configuration', tab: 'smarthost', status: 409 };
    const title = t('smarthost.title');
    pages.page(
      req,
      res,
      { ...info, title, heading: t('conflict.heading'), failed: true },
      // A password that was typed goes on with the rest of the form.
      {
        conflict: { ...view, fields: [...view.fields, { name: 'passwordRef', value: reference }] },
      },
    );
  };

  /** The form again, with what was typed and why it was not saved. Throws on what is no answer for a person. */
  const refuse = async (
    req: Request,
    res: Response,
    error: unknown,
    current: Current<SmarthostSettings>,
    kept: string,
  ): Promise<void> => {
    const problems = problemsAtFields(error, smarthostForm.fields, web);
    const reference = kept === '' ? typedPassword(req).reference : kept;
    const again = {
      current,
      values: { ...typedValues(smarthostForm, req.body, current.settings), password: '' },
      version: Number(oneText(req.body, 'version')) || 0,
    };
    if (problems !== null) {
      await showForm(web, page({ reference, trial: '' }), req, res, {
        ...again,
        status: 422,
        problems,
      });
    } else if (error instanceof HelperError) {
      const notices = [saveFailed(pages.translator(req), error.toFailure(), web.has)];
      await showForm(web, page({ reference, trial: '' }), req, res, {
        ...again,
        status: 502,
        notices,
      });
    } else {
      throw error;
    }
  };

  const goneNotice = (req: Request, id: string, gone: boolean): readonly Notice[] => {
    if (id === '' || !gone) return [];
    const t = pages.translator(req);
    const paragraphs = [t('smarthost.trial.gone.text')];
    return [{ kind: 'info', role: 'status', title: t('smarthost.trial.gone.title'), paragraphs }];
  };
}

function pathOf(req: Request): string {
  return req.baseUrl + SMARTHOST_PATH;
}

function typedPassword({ body }: Request): TypedPassword {
  return {
    text: oneText(body, 'password'),
    reference: oneText(body, 'passwordRef'),
    remove: ['yes', 'on', '1', 'true'].includes(oneText(body, 'removePassword')),
  };
}

/** Who takes the server away leaves its user standing, who goes along; of another one somebody would think that it is set. */
function namesUserOfNobody(body: unknown, current: SmarthostSettings): boolean {
  const username = oneText(body, 'username');
  return username !== '' && username !== current.username && oneText(body, 'host') === '';
}
