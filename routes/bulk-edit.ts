/** Bulk mail: writing a mailing, and changing a draft. */
import type { Request, Response, Router } from 'express';
import { displayAddress } from '../lib/aliases/address.js';
import { FORM_FIELDS, readMailingForm, toForm, type TypedMailing } from '../lib/bulk/form.js';
import { DEFAULT_RATE, MAX_ATTACHMENTS } from '../lib/bulk/schema.js';
import type { BulkService, FormChoices } from '../lib/bulk/service.js';
import { ConflictError, UserError, type Problem } from '../lib/errors.js';
import { oneText } from '../lib/web/fields.js';
import { viewForm } from '../lib/web/form.js';
import { MAX_FILE_BYTES, tooLargeField, uploadedFiles } from '../lib/web/multipart.js';
import type { Notice } from '../lib/web/notice.js';
import type { Web } from '../lib/web/web.js';
import { BULK_PATH, bulkPage, bulkParts } from './bulk.js';

/** Groups that the form offers to tick; others are typed. */
const SHOWN_GROUPS = 60;
/** Files grow by a third on their way, and lines have ends. */
const ENCODED_SHARE = 57 / 78;

interface Shown {
  /** The draft that is changed; null for a new one. */
  readonly id: string | null;
  readonly version: number;
  readonly typed: TypedMailing;
  /** Its recipients are those whom another mailing did not reach. */
  readonly isAgain?: boolean;
  readonly files: readonly { readonly id: string; readonly name: string; readonly size: number }[];
  readonly status?: number;
  readonly problems?: readonly Problem[];
  readonly notices?: readonly Notice[];
}

export function bulkEditRoutes(router: Router, web: Web, service: BulkService): void {
  const { pages, host } = web;
  const operate = host.requireRole('mail.operate');

  router.get(`${BULK_PATH}/new`, operate, async (req, res) => {
    const { address, name } = await service.senderFor(pages.user(req).login);
    const from = displayAddress(address);
    const values = { from, fromName: name, formatted: '1', rate: String(DEFAULT_RATE) };
    const typed = { values, include: [], exclude: [], kept: [] };
    await show(req, res, { id: null, version: 0, typed, files: [] });
  });

  router.post(`${BULK_PATH}/new`, operate, (req, res) => save(req, res, null));

  router.get(`${BULK_PATH}/:id/edit`, operate, async (req, res) => {
    const { mailing, attachments } = await service.draft(String(req.params['id']));
    const { id, version } = mailing;
    const isAgain = mailing.againOf !== null;
    await show(req, res, { id, version, typed: toForm(mailing), files: attachments, isAgain });
  });

  router.post(`${BULK_PATH}/:id/edit`, operate, async (req, res) => {
    const { mailing } = await service.draft(String(req.params['id']));
    await save(req, res, mailing.id, mailing.againOf !== null);
  });

  const save = async (
    req: Request,
    res: Response,
    id: string | null,
    isAgain = false,
  ): Promise<void> => {
    const { world } = await service.choices();
    const actor = pages.user(req).login;
    const asked = Number(oneText(req.body, 'version'));
    const version = Number.isSafeInteger(asked) ? asked : 0;
    const { typed, mailing, problems } = readMailingForm(req.body, world);
    const kept = { ids: typed.kept, mailing: id };
    const wrong: Problem[] = [...problems];
    let files: Shown['files'];
    try {
      refuseCut(req);
      files = await service.keepFiles(uploadedFiles(req.body, 'attachments'), kept, actor);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      wrong.push(...error.problems);
      files = await service.keepFiles([], kept, actor);
    }
    const shown = { id, version, typed, files, isAgain };
    if (mailing === null || wrong.length > 0) {
      await show(req, res, { ...shown, status: 422, problems: wrong });
      return;
    }
    const input = { values: mailing, attachments: files.map((file) => file.id), actor };
    try {
      if (id !== null) await service.change(id, version, input);
      const made = id ?? (await service.create(input));
      res.redirect(303, `${req.baseUrl}${BULK_PATH}/${made}`);
    } catch (error) {
      if (error instanceof UserError) {
        const told = error.problems.map((problem) => inBytes(req, problem));
        await show(req, res, { ...shown, status: 422, problems: told });
      } else if (error instanceof ConflictError) {
        const notices = [conflictNotice(req, error)];
        await show(req, res, { ...shown, version: error.version, status: 409, notices });
      } else {
        throw error;
      }
    }
  };

  const inBytes = (req: Request, problem: Problem): Problem => {
    if (problem.key !== 'bulk.problem.size') return problem;
    const { bytes } = pages.formats(req);
    const { size = 0, limit = 0 } = problem.values;
    return { ...problem, values: { size: bytes(Number(size)), limit: bytes(Number(limit)) } };
  };

  const refuseCut = (req: Request): void => {
    if (oneText(req.body, tooLargeField('attachments')) === '') return;
    const values = { limit: pages.formats(req).bytes(MAX_FILE_BYTES) };
    throw new UserError({ key: 'bulk.problem.upload', values, field: 'attachments' });
  };

  /** What somebody else made of it stands beside what was typed, which is still in the form. */
  const conflictNotice = (req: Request, { by, theirs }: ConflictError): Notice => {
    const { t, format } = bulkParts(web, req);
    const when = by === null ? '' : format.moment(by.at);
    return {
      ...{ kind: 'warn', role: 'alert', focus: true },
      title: t('bulk.conflict.title', { who: by?.login ?? '', when }),
      paragraphs: [t('bulk.conflict.text')],
      details: {
        summary: t('bulk.conflict.theirs'),
        text: `${String(theirs['subject'])}\n\n${String(theirs['body'])}`,
      },
    };
  };

  const show = async (req: Request, res: Response, shown: Shown): Promise<void> => {
    const { t, format, path } = bulkParts(web, req);
    const { id, typed, files, status = 200, problems = [], notices = [] } = shown;
    const choices = await service.choices();
    const title = id === null ? t('bulk.newTitle') : t('bulk.editTitle');
    pages.page(req, res, bulkPage('edit', title, status, id === null ? 'new' : 'list'), {
      action: id === null ? `${path}/new` : `${path}/${id}/edit`,
      backHref: id === null ? path : `${path}/${id}`,
      version: shown.version,
      notices,
      form: viewForm({ t, feature: 'bulk', fields: FORM_FIELDS, values: typed.values, problems }),
      files: files.map((file) => ({ ...file, size: format.bytes(file.size) })),
      isAgain: shown.isAgain ?? false,
      lists: (['include', 'exclude'] as const).map((name) => ({
        ...viewNames(name, typed, choices),
        label: t(`bulk.field.${name}`),
        hint: t(`bulk.hint.${name}`),
      })),
      limits: {
        files: MAX_ATTACHMENTS,
        bytes: format.bytes(uploadLimit(choices)),
      },
      readOnly: false,
    });
  };
}

function uploadLimit({ sizeLimit }: FormChoices): number {
  return sizeLimit === 0 ? MAX_FILE_BYTES : Math.min(MAX_FILE_BYTES, sizeLimit * ENCODED_SHARE);
}

/** Groups to tick, and a line for whatever else is named. */
function viewNames(name: 'include' | 'exclude', typed: TypedMailing, { groups }: FormChoices) {
  const wanted = typed[name];
  const shown = groups.slice(0, SHOWN_GROUPS);
  const offered = new Set(shown.map((group) => group.name));
  return {
    name,
    groups: shown.map((group) => ({ ...group, checked: wanted.includes(group.name) })),
    more: groups.length - shown.length,
    typed: wanted.filter((one) => !offered.has(one)).join(' '),
  };
}
