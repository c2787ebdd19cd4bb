/** Backup and restore of all settings: download, upload, a preview of what would change, and the one yes. */
import type { Request, Response, Router } from 'express';
import type { BackupService, RestoreLook, TypedSecrets } from '../lib/backup/service.js';
import { mebibytes } from '../lib/backup/file.js';
import { HelperError, UserError, type Problem } from '../lib/errors.js';
import { settingRows } from '../lib/history/words.js';
import type { SectionPages } from '../lib/manifest.js';
import { oneText } from '../lib/web/fields.js';
import { requestFailed, saveFailed } from '../lib/web/helper-notices.js';
import { tooLargeField, uploadedFile } from '../lib/web/multipart.js';
import type { Notice } from '../lib/web/notice.js';
import { viewPreview } from '../lib/web/preview.js';
import { savedQuery } from '../lib/web/saved-notice.js';
import type { Web } from '../lib/web/web.js';

const PATH = '/backup';
const RESTORE = `${PATH}/restore`;

export function backupRoutes(
  router: Router,
  web: Web,
  service: BackupService,
  pagesOf: SectionPages,
): void {
  const { host, pages } = web;
  const admin = host.requireRole('mail.admin');

  router.get(PATH, admin, async (req, res) => {
    await show(req, res, 200, await web.saved(req));
  });

  router.get(`${PATH}/file`, admin, async (req, res) => {
    const text = await service.make();
    host.log.info({ login: pages.user(req).login }, 'the settings were downloaded as a file');
    const day = new Date().toISOString().slice(0, 10);
    res.set({
      'Cache-Control': 'no-store',
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Disposition': `attachment; filename="mailserver-settings-${day}.json"`,
    });
    res.send(text);
  });

  router.post(PATH, admin, async (req, res) => {
    try {
      if (oneText(req.body, tooLargeField('file')) !== '') {
        const values = { limit: mebibytes() };
        throw new UserError({ key: 'backup.problem.tooLarge', values, field: 'file' });
      }
      const text = uploadedFile(req.body, 'file')?.bytes.toString('utf8') ?? '';
      const reference = await service.receive(text, pages.user(req).login);
      res.redirect(303, `${req.baseUrl}${RESTORE}?file=${reference}`);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      await show(req, res, 422, [], error.problems);
    }
  });

  router.get(RESTORE, admin, async (req, res) => {
    await ask(req, res, 200, oneText(req.query, 'file'));
  });

  router.post(RESTORE, admin, async (req, res) => {
    const t = pages.translator(req);
    const reference = oneText(req.body, 'file');
    try {
      const typed = typedSecrets(req);
      const change = await service.restore(reference, typed, pages.user(req).login);
      res.redirect(303, req.baseUrl + PATH + savedQuery(change));
    } catch (error) {
      if (error instanceof UserError) {
        await ask(req, res, 422, reference, [], error.problems);
      } else if (error instanceof HelperError) {
        await ask(req, res, 502, reference, [saveFailed(t, error.toFailure(), web.has)]);
      } else {
        throw error;
      }
    }
  });

  const show = async (
    req: Request,
    res: Response,
    status: number,
    notices: readonly Notice[],
    problems: readonly Problem[] = [],
  ): Promise<void> => {
    const t = pages.translator(req);
    const { sections, secrets } = await service.summary();
    pages.page(
      req,
      res,
      {
        view: 'backup/index',
        title: t('backup.title'),
        menu: 'backup',
        status,
        failed: status >= 400,
      },
      {
        notices: [...refusal(req, problems), ...notices],
        sections: sections.map((section) => nameOf(req, section)),
        fetches: sections.includes('fetchmail'),
        secrets,
        fileHref: `${req.baseUrl}${PATH}/file`,
        action: req.baseUrl + PATH,
        limit: mebibytes(),
        faulty: problems.length > 0,
      },
    );
  };

  /** The preview of a restore, and what has to be entered for it. */
  const ask = async (
    req: Request,
    res: Response,
    status: number,
    reference: string,
    notices: readonly Notice[] = [],
    problems: readonly Problem[] = [],
  ): Promise<void> => {
    const t = pages.translator(req);
    let look: RestoreLook | null = null;
    let failure: HelperError | null = null;
    try {
      look = await service.look(reference, pages.user(req).login);
    } catch (error) {
      if (error instanceof UserError) return show(req, res, 422, [], error.problems);
      if (!(error instanceof HelperError)) throw error;
      failure = error;
    }
    const away =
      failure === null || notices.length > 0
        ? []
        : [requestFailed(t, failure.toFailure(), web.has)];
    const answer = failure === null ? status : 502;
    pages.page(
      req,
      res,
      {
        view: 'backup/restore',
        title: t('backup.restore.title'),
        menu: 'backup',
        status: answer,
        failed: answer >= 400,
      },
      {
        notices: [...refusal(req, problems), ...notices, ...away],
        made: look === null ? '' : pages.formats(req).moment(new Date(look.file.madeAt)),
        parts: look === null ? [] : partsOf(req, look),
        missing: (look?.missing ?? []).map(({ name, about }, index) => ({
          ...{ name, about, id: `secret-${index}` },
          problem: problems.some(({ field }) => field === name)
            ? t('backup.problem.secret', { about })
            : '',
        })),
        files: look?.preview ? filesOf(req, look.preview) : null,
        nothing: look !== null && look.preview === null,
        reference,
        action: req.baseUrl + RESTORE,
        back: req.baseUrl + PATH,
      },
    );
  };

  /** What would happen to the files; the settings stand above it, page by page. */
  const filesOf = (req: Request, { rows, result }: NonNullable<RestoreLook['preview']>): object => {
    const t = pages.translator(req);
    return { ...viewPreview(t, settingRows(t, web.has, rows), result), rows: [] };
  };

  /** Section by section, what the settings would say instead. */
  const partsOf = (req: Request, { preview }: RestoreLook): readonly object[] => {
    const rows = preview?.rows ?? [];
    const sectionOf = ({ table, id }: (typeof rows)[number]): string =>
      table === 'mail_settings' ? id : (LISTS[table] ?? table);
    return [...new Set(rows.map(sectionOf))].map((section) => ({
      title: nameOf(req, section),
      rows: settingRows(
        pages.translator(req),
        web.has,
        rows.filter((row) => sectionOf(row) === section),
      ),
    }));
  };

  const nameOf = (req: Request, section: string): string => {
    const page = pagesOf.get(section);
    return page === undefined ? section : pages.translator(req)(page.label);
  };

  const refusal = (req: Request, problems: readonly Problem[]): readonly Notice[] => {
    if (problems.length === 0) return [];
    const t = pages.translator(req);
    const paragraphs = [...new Set(problems.map(({ key, values }) => t(key, values)))];
    const title = t('backup.refused');
    return [{ kind: 'bad', role: 'alert', focus: true, title, paragraphs }];
  };
}

/** Tables of lists, by the section whose list each is. */
const LISTS: Readonly<Record<string, string>> = {
  mail_domains: 'domains',
  mail_relay_networks: 'relay',
  mail_aliases: 'aliases',
  mail_fetch_queries: 'fetchmail',
};

function typedSecrets(req: Request): TypedSecrets {
  const body = (req.body ?? {}) as Readonly<Record<string, unknown>>;
  const names = Object.keys(body)
    .filter((name) => name.startsWith('secret:') || name.startsWith('without:'))
    .map((name) => name.slice(name.indexOf(':') + 1));
  return new Map(
    names.map((name) => [
      name,
      { text: oneText(body, `secret:${name}`), without: oneText(body, `without:${name}`) !== '' },
    ]),
  );
}
