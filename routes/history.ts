/** The history of settings: who changed what, with what result, and the way back. */
import type { Request, Response, Router } from 'express';
import type {
  Change,
  ChangeState,
  ChangeSummary,
  HistoryFilter,
  Row,
} from '../lib/changes/change.js';
import type { Changes } from '../lib/changes/service.js';
import type { SecretQuestion } from '../lib/changes/undo.js';
import { toUnicodeDomain } from '../lib/domains/schema.js';
import { ConflictError, HelperError, UserError } from '../lib/errors.js';
import { changeDetail, changeLines, SHOWN_ROWS } from '../lib/history/view.js';
import type { HistoryService, UndoScope } from '../lib/history/service.js';
import { oneText } from '../lib/web/fields.js';
import { saveFailed } from '../lib/web/helper-notices.js';
import type { Notice } from '../lib/web/notice.js';
import { viewPreview } from '../lib/web/preview.js';
import { savedQuery } from '../lib/web/saved-notice.js';
import type { Web } from '../lib/web/web.js';
import type { Words } from '../lib/words.js';
import { settingRows } from '../lib/history/words.js';

/** Rows of an undo that are shown beforehand; to try out more would hold up every other page. */
const PREVIEWED_ROWS = 1_000;

const DOMAINS = 'mail_domains';

const STATES: readonly ChangeState[] = ['applied', 'refused', 'applying'];

export interface HistoryParts {
  readonly changes: Changes;
  readonly history: HistoryService;
  /** Seals a secret typed anew for an undo. Throws `UserError` when there is no key to seal with. */
  readonly sealAgain: (question: SecretQuestion, secret: string) => Promise<string>;
  /** What is lost with local domains that an undo takes away, in the words of who needs them. */
  readonly losses: (domains: readonly string[]) => Promise<readonly Words[]>;
  /** Sections with a page: where it is below the mount point, and the key of its name. */
  readonly pagesOf: ReadonlyMap<string, { readonly path: string; readonly label: string }>;
}

export function historyRoutes(router: Router, web: Web, parts: HistoryParts): void {
  const { host, pages } = web;
  const { changes, history } = parts;

  const linesOf = (req: Request, listed: readonly (Change | ChangeSummary)[]) =>
    changeLines(web, changes, req, listed);

  router.get('/history', host.requireRole('mail.read'), async (req, res) => {
    const t = pages.translator(req);
    const filter = filterOf(req);
    const before = Number(oneText(req.query, 'before')) || undefined;
    const found = await changes.history(filter, before === undefined ? {} : { before });
    const sections = [...parts.pagesOf].map(([value, { label }]) => ({ value, label: t(label) }));
    const next = new URLSearchParams({
      ...(filter.actor === undefined ? {} : { person: filter.actor }),
      ...(filter.section === undefined ? {} : { section: filter.section }),
      ...(filter.state === undefined ? {} : { state: filter.state }),
      before: String(found.next ?? ''),
    });
    pages.page(
      req,
      res,
      { view: 'history/index', title: t('history.title'), menu: 'history', tab: 'history' },
      {
        lines: await linesOf(req, found.changes),
        typed: {
          person: filter.actor ?? '',
          section: filter.section ?? '',
          state: filter.state ?? '',
        },
        filtered: Object.keys(filter).length > 0 || before !== undefined,
        sections,
        states: STATES.map((value) => ({ value, label: t(`history.state.${value}`) })),
        action: `${req.baseUrl}/history`,
        next: found.next === null ? '' : `${req.baseUrl}/history?${next.toString()}`,
        notices: await web.saved(req),
      },
    );
  });

  router.get('/history/:id', host.requireRole('mail.read'), async (req, res) => {
    const change = await changes.get(String(req.params['id']), SHOWN_ROWS);
    const t = pages.translator(req);
    pages.page(
      req,
      res,
      {
        view: 'history/show',
        title: t('history.one', { number: change.number }),
        menu: 'history',
        tab: 'history',
      },
      {
        change: await changeDetail(web, changes, req, change),
        undo: `${req.baseUrl}/history/${change.id}/undo`,
        notices: await web.saved(req),
      },
    );
  });

  router.get('/history/:id/undo', host.requireRole('mail.admin'), async (req, res) => {
    const { change, scope, taken } = await asked(req, scopeOf(req.query));
    await askUndo(req, res, { change, scope, taken, status: 200 });
  });

  router.post('/history/:id/undo', host.requireRole('mail.admin'), async (req, res) => {
    const { change, scope, taken, paged } = await asked(req, scopeOf(req.body));
    const seen = Number(oneText(req.body, 'version')) || taken[0]?.number;
    try {
      if (seen !== taken[0]?.number) throw new ConflictError({}, newestOf(taken), 0);
      const secrets = await typedSecrets(req, taken);
      const undo = { actor: pages.user(req).login, secrets };
      const back = paged
        ? await changes.savePages(paged)
        : await changes.save(changes.undo(taken, undo));
      const page = parts.pagesOf.get(change.sections[0] ?? '')?.path ?? '/history';
      res.redirect(303, req.baseUrl + page + savedQuery(back));
    } catch (error) {
      await refuse(req, res, error, { change, scope, taken });
    }
  });

  /** Which changes are to be taken back; one that goes back page by page has only its first rows with it. */
  const asked = async (req: Request, scope: UndoScope) => {
    const summary = await changes.glance(String(req.params['id']));
    const paged = scope === 'one' ? await changes.undoPages(summary, pages.user(req).login) : null;
    const change = await changes.get(summary.id, paged ? PREVIEWED_ROWS + 1 : undefined);
    return { change, scope, paged, taken: await history.taken(change, scope) };
  };

  interface Asked {
    readonly change: Change;
    readonly scope: UndoScope;
    readonly taken: readonly Change[];
    readonly status: number;
    readonly notices?: readonly Notice[];
  }

  /** What will be taken back, the passwords that are needed again, and the two buttons. */
  const askUndo = async (req: Request, res: Response, asked: Asked): Promise<void> => {
    const t = pages.translator(req);
    const { change, scope, taken, status, notices = [] } = asked;
    const questions = changes.undoQuestions(taken);
    pages.page(
      req,
      res,
      {
        view: 'history/undo',
        tab: 'history',
        title: t(`history.undo.${scope}.title`, { number: change.number }),
        menu: 'history',
        status,
        failed: status >= 400,
      },
      {
        lines: await linesOf(req, taken),
        lead: t(`history.undo.${scope}.lead`, { count: taken.length }),
        questions: questions.map(({ field, row }) => ({ field, about: accountOf(row) })),
        scope,
        version: String(taken[0]?.number ?? 0),
        action: `${req.baseUrl}/history/${change.id}/undo`,
        back: `${req.baseUrl}/history/${change.id}`,
        preview: questions.length > 0 || isLarge(taken) ? null : await previewOf(req, taken),
        large: isLarge(taken),
        notices: [...notices, ...(await lossNotice(req, taken))],
      },
    );
  };

  /** Mail that is refused afterwards: as removing the domains on their own page would say it. */
  const lossNotice = async (req: Request, taken: readonly Change[]): Promise<readonly Notice[]> => {
    const names = domainsToGo(taken);
    if (names.length === 0) return [];
    const t = pages.translator(req);
    const lost = await parts.losses(names);
    const domain = toUnicodeDomain(names[0] ?? '');
    const count = names.length;
    return [
      {
        kind: 'warn',
        title: t('history.undo.domains', { count, domain }),
        paragraphs: [t('domains.remove.meaning', { count })],
        points: lost.map(({ key, values }) => t(key, values)),
      },
    ];
  };

  /** What the undo would do to the machine; null when that cannot be said now. */
  const previewOf = async (req: Request, taken: readonly Change[]) => {
    const t = pages.translator(req);
    try {
      const intent = changes.undo(taken, { actor: pages.user(req).login });
      const { rows, result } = await changes.preview(intent);
      return viewPreview(t, settingRows(t, web.has, rows), result);
    } catch (error) {
      if (error instanceof HelperError || error instanceof UserError) return null;
      if (error instanceof ConflictError) return null;
      throw error;
    }
  };

  const typedSecrets = async (
    req: Request,
    taken: readonly Change[],
  ): Promise<Readonly<Record<string, string>>> => {
    const sealed: Record<string, string> = {};
    for (const question of changes.undoQuestions(taken)) {
      const typed = oneText(req.body, question.field);
      if (typed !== '') sealed[question.field] = await parts.sealAgain(question, typed);
    }
    return sealed;
  };

  const refuse = async (
    req: Request,
    res: Response,
    error: unknown,
    asked: Omit<Asked, 'status' | 'notices'>,
  ): Promise<void> => {
    const t = pages.translator(req);
    const bad = (title: string, paragraphs: readonly string[]): Notice => ({
      kind: 'bad',
      role: 'alert',
      focus: true,
      title,
      paragraphs,
    });
    if (error instanceof UserError) {
      const texts = [...new Set(error.problems.map(({ key, values }) => t(key, values)))];
      const notices = [bad(t('history.undo.refused'), texts)];
      await askUndo(req, res, { ...asked, status: 422, notices });
    } else if (error instanceof ConflictError) {
      const text = t('history.undo.conflict', { person: error.by?.login ?? '_none' });
      await askUndo(req, res, {
        ...asked,
        status: 409,
        notices: [bad(t('history.undo.refused'), [text])],
      });
    } else if (error instanceof HelperError) {
      const notices = [saveFailed(t, error.toFailure(), web.has)];
      await askUndo(req, res, { ...asked, status: 502, notices });
    } else {
      throw error;
    }
  };
}

/** Local domains, as A-labels, that there are no more when these changes are taken back. */
function domainsToGo(taken: readonly Change[]): readonly string[] {
  const rows = taken.flatMap((change) => change.rows).filter(({ table }) => table === DOMAINS);
  const named = (row: Row | null): readonly string[] => (row === null ? [] : [String(row['name'])]);
  const back = new Set(rows.flatMap(({ before }) => named(before)));
  return rows.flatMap(({ after }) => named(after)).filter((name) => !back.has(name));
}

/** Who made the newest of the changes, and when. */
function newestOf([newest]: readonly Change[]): { login: string; at: Date } | null {
  return newest === undefined ? null : { login: newest.actor, at: newest.at };
}

function filterOf(req: Request): HistoryFilter {
  const actor = oneText(req.query, 'person').trim().slice(0, 256);
  const section = oneText(req.query, 'section').slice(0, 64);
  const state = STATES.find((one) => one === oneText(req.query, 'state'));
  return {
    ...(actor === '' ? {} : { actor }),
    ...(section === '' ? {} : { section }),
    ...(state === undefined ? {} : { state }),
  };
}

function scopeOf(values: unknown): UndoScope {
  return oneText(values, 'scope') === 'since' ? 'since' : 'one';
}

/** Which account a password belongs to, as far as the row says. */
function accountOf(row: Readonly<Record<string, unknown>>): string {
  const value = (row['value'] ?? row) as Readonly<Record<string, unknown>>;
  const parts = ['name', 'username', 'remote_user', 'host', 'server'].map((name) => value[name]);
  return parts.filter((part) => typeof part === 'string' && part !== '').join(', ') || '_none';
}

function isLarge(taken: readonly Change[]): boolean {
  return taken.reduce((sum, { rows }) => sum + rows.length, 0) > PREVIEWED_ROWS;
}
