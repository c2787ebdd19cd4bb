/**
 * The routes of a section with one form: show, preview, save, and say what went wrong with everything typed kept.
 */
import type { Request, Response, Router } from 'express';
import { ConflictError, HelperError } from '../errors.js';
import type { Current, Wanted } from '../settings/service.js';
import { oneText } from './fields.js';
import { saveFailed } from './helper-notices.js';
import { problemsAtFields } from './problems.js';
import { savedQuery } from './saved-notice.js';
import { typedValues, wantedSettings } from './settings-form.js';
import { conflictOf, previewOf, showForm, type SettingsPage } from './settings-view.js';
import type { Web } from './web.js';

export function settingsRoutes<Settings>(
  router: Router,
  web: Web,
  page: SettingsPage<Settings>,
): void {
  const { pages, host } = web;
  const { form, service, path } = page;

  router.get(path, host.requireRole('mail.read'), async (req, res) => {
    const current = await service.current();
    await showForm(web, page, req, res, {
      current,
      values: form.toForm(current.settings),
      version: current.version,
      status: 200,
      notices: await web.saved(req),
    });
  });

  router.post(path, host.requireRole('mail.admin'), async (req, res) => {
    const current = await service.current();
    let wanted: Wanted<Settings> | null = null;
    try {
      wanted = wantedSettings(form, req.body, current, pages.user(req).login, web);
      if (oneText(req.body, 'intent') === 'preview') await preview(req, res, wanted, current);
      else await save(req, res, wanted);
    } catch (error) {
      if (error instanceof ConflictError && wanted !== null) {
        await conflict(req, res, error, wanted.settings);
      } else {
        await refuse(req, res, error, current);
      }
    }
  });

  const save = async (req: Request, res: Response, wanted: Wanted<Settings>): Promise<void> => {
    const change = await service.save(wanted);
    res.redirect(303, req.baseUrl + path + savedQuery(change));
  };

  const preview = async (
    req: Request,
    res: Response,
    wanted: Wanted<Settings>,
    current: Current<Settings>,
  ): Promise<void> => {
    const { result } = await service.preview(wanted);
    await showForm(web, page, req, res, {
      current,
      values: form.toForm(wanted.settings),
      version: wanted.version,
      status: 200,
      preview: previewOf(web, form, req, current, wanted, result),
    });
  };

  const conflict = async (
    req: Request,
    res: Response,
    error: ConflictError,
    mine: Settings,
  ): Promise<void> => {
    const { settings: theirs } = await service.current();
    const view = conflictOf(web, page, req, error, mine, theirs);
    if (view === null) {
      res.redirect(303, req.baseUrl + path + savedQuery(null));
      return;
    }
    const t = pages.translator(req);
    pages.page(
      req,
      res,
      {
        view: '_kit/conflict',
        title: t(page.title ?? `${form.feature}.title`),
        heading: t('conflict.heading'),
        menu: page.menu,
        tab: page.tab,
        status: 409,
        failed: true,
      },
      { conflict: view },
    );
  };

  /** The form again, with what was typed and why it was not saved. Throws on what is no answer for a person. */
  const refuse = async (
    req: Request,
    res: Response,
    error: unknown,
    current: Current<Settings>,
  ): Promise<void> => {
    const again = {
      current,
      values: typedValues(form, req.body, current.settings),
      version: Number(oneText(req.body, 'version')) || 0,
    };
    const problems = problemsAtFields(error, form.fields, web);
    if (problems !== null) {
      await showForm(web, page, req, res, { ...again, status: 422, problems });
    } else if (error instanceof HelperError) {
      const notices = [saveFailed(pages.translator(req), error.toFailure(), web.has)];
      await showForm(web, page, req, res, { ...again, status: 502, notices });
    } else {
      throw error;
    }
  };
}
