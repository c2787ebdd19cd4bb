/** Adding an exception and changing one. Other pages lead here with `?kind=&value=` filled in. */
import type { Request, Response, Router } from 'express';
import type { RowKey } from '../lib/changes/rows.js';
import { ConflictError, HelperError, UserError, type Problem } from '../lib/errors.js';
import { MAX_NOTE_CHARS } from '../lib/exceptions/schema.js';
import type { ExceptionsService } from '../lib/exceptions/service.js';
import type { ExceptionValues } from '../lib/exceptions/store.js';
import { displayException, MAX_VALUE_CHARS, parseException } from '../lib/exceptions/value.js';
import { conflictTitle } from '../lib/web/conflict.js';
import { oneText, quote, readFields } from '../lib/web/fields.js';
import { viewForm } from '../lib/web/form.js';
import { saveFailed } from '../lib/web/helper-notices.js';
import type { Notice } from '../lib/web/notice.js';
import { savedQuery } from '../lib/web/saved-notice.js';
import type { Web } from '../lib/web/web.js';
import { EXCEPTIONS_PATH, exceptionsPage, standingOfExceptions } from './exceptions-page.js';

/** What stands in the form. */
interface Typed {
  readonly value: string;
  readonly note: string;
  readonly enabled: boolean;
}

interface Shown {
  readonly key: RowKey | null;
  readonly typed: Typed;
  readonly status?: number;
  readonly problems?: readonly Problem[];
  readonly notices?: readonly Notice[];
}

export function exceptionsEditRoutes(router: Router, web: Web, service: ExceptionsService): void {
  const { pages, host } = web;
  const admin = host.requireRole('mail.admin');

  router.get(`${EXCEPTIONS_PATH}/new`, admin, async (req, res) => {
    const value = oneText(req.query, 'value').slice(0, MAX_VALUE_CHARS);
    // The kind that comes along shows in the value itself.
    const parsed = parseException(value);
    const known = 'kind' in parsed ? await service.find(parsed.value) : null;
    if (known !== null) {
      res.redirect(303, `${req.baseUrl}${EXCEPTIONS_PATH}/${known.id}`);
      return;
    }
    await show(req, res, { key: null, typed: { value, note: '', enabled: true } });
  });

  router.post(`${EXCEPTIONS_PATH}/new`, admin, (req, res) => save(req, res, null));

  router.get(`${EXCEPTIONS_PATH}/:id`, host.requireRole('mail.read'), async (req, res) => {
    const { id, version, value, note, enabled } = await service.get(String(req.params['id']));
    const typed = { value: displayException(value), note, enabled };
    await show(req, res, { key: { id, version }, typed });
  });

  router.post(`${EXCEPTIONS_PATH}/:id`, admin, (req, res) => {
    const version = Number(oneText(req.body, 'version'));
    const id = String(req.params['id']);
    return save(req, res, { id, version: Number.isInteger(version) ? version : 0 });
  });

  const save = async (req: Request, res: Response, key: RowKey | null): Promise<void> => {
    const { values, problems } = readFields(req.body, ['value', 'note']);
    const typed = {
      value: values['value'] ?? '',
      note: values['note'] ?? '',
      enabled: oneText(req.body, 'enabled') === '1',
    };
    try {
      const change = await service.save(key, checked(typed, problems), pages.user(req).login);
      res.redirect(303, req.baseUrl + EXCEPTIONS_PATH + savedQuery(change));
    } catch (error) {
      if (error instanceof UserError) {
        await show(req, res, { key, typed, status: 422, problems: error.problems });
      } else if (error instanceof ConflictError) {
        await showConflict(req, res, key, typed, error);
      } else if (error instanceof HelperError) {
        const notices = [saveFailed(pages.translator(req), error.toFailure(), web.has)];
        await show(req, res, { key, typed, status: 502, notices });
      } else {
        throw error;
      }
    }
  };

  /** What was typed stays in the form; what somebody else saved stands above it. */
  const showConflict = async (
    req: Request,
    res: Response,
    key: RowKey | null,
    typed: Typed,
    error: ConflictError,
  ): Promise<void> => {
    const t = pages.translator(req);
    const { theirs, version } = error;
    const value = typeof theirs['value'] === 'string' ? displayException(theirs['value']) : '';
    const notice: Notice = {
      ...{ kind: 'warn', role: 'alert', focus: true },
      title: conflictTitle(t, pages.formats(req), error),
      paragraphs: [t('exceptions.conflict', { value })],
    };
    const shownKey = key === null ? null : { id: key.id, version };
    await show(req, res, { key: shownKey, typed, status: 409, notices: [notice] });
  };

  const show = async (req: Request, res: Response, shown: Shown): Promise<void> => {
    const t = pages.translator(req);
    const { key, typed, status = 200, problems = [], notices = [] } = shown;
    const { notices: standing, possible } = await standingOfExceptions(web, req, service);
    const refused = notices.some(({ kind }) => kind === 'bad');
    const parsed = parseException(typed.value);
    pages.page(req, res, exceptionsPage(web, req, key === null ? 'new' : 'edit', status), {
      action: `${req.baseUrl}${EXCEPTIONS_PATH}/${key === null ? 'new' : key.id}`,
      listHref: req.baseUrl + EXCEPTIONS_PATH,
      version: key?.version ?? 0,
      isNew: key === null,
      enabled: typed.enabled,
      means: 'kind' in parsed ? t(`exceptions.means.${parsed.kind}`) : '',
      readOnly: !pages.may(req, 'mail.admin'),
      saving: { possible },
      notices: [...notices, ...(refused ? [] : standing)],
      form: viewForm({
        t,
        feature: 'exceptions',
        fields: ['value', 'note'],
        values: { value: typed.value, note: typed.note },
        problems,
      }),
    });
  };
}

/** Throws `UserError` with everything that is wrong. */
function checked(typed: Typed, found: readonly Problem[]): ExceptionValues {
  const problems = [...found];
  const parsed = parseException(typed.value);
  if ('fault' in parsed) {
    const values = { value: quote(typed.value), suggestion: parsed.suggestion };
    problems.push({ key: `exceptions.problem.${parsed.fault}`, values, field: 'value' });
  }
  if (typed.note.length > MAX_NOTE_CHARS) {
    const values = { limit: MAX_NOTE_CHARS };
    problems.push({ key: 'exceptions.problem.note', values, field: 'note' });
  }
  if (problems.length > 0 || 'fault' in parsed) throw new UserError(problems);
  return { value: parsed.value, note: typed.note, enabled: typed.enabled };
}
