/** Open relay subnets: what is said about one, and removing some. */
import type { Request, Response, Router } from 'express';
import {
  ConflictError,
  HelperError,
  NotFoundError,
  UserError,
  type Problem,
} from '../lib/errors.js';
import type { Translator } from '../lib/i18n.js';
import { readTarget, targetKey, viewNetwork } from '../lib/relay-subnets/list-view.js';
import type { ListedNetwork, NetworkTarget, RelayService } from '../lib/relay-subnets/service.js';
import { allTexts, oneText } from '../lib/web/fields.js';
import { viewForm } from '../lib/web/form.js';
import { saveFailed } from '../lib/web/helper-notices.js';
import type { Notice } from '../lib/web/notice.js';
import { viewPreview, type PreviewView } from '../lib/web/preview.js';
import { savedQuery } from '../lib/web/saved-notice.js';
import type { Web } from '../lib/web/web.js';
import { listVersion, readNote, RELAY_PATH, relayPage } from './relay-subnets-page.js';

interface Asked {
  readonly status: number;
  readonly notices?: readonly Notice[];
  readonly problems?: readonly Problem[];
  readonly note?: string;
  readonly preview?: PreviewView;
}

export function relayRowRoutes(router: Router, web: Web, service: RelayService): void {
  const { pages, host } = web;
  const admin = host.requireRole('mail.admin');

  for (const view of ['edit', 'remove'] as const) {
    router.get(`${RELAY_PATH}/${view}`, admin, (req, res) =>
      ask(req, res, view, req.query, { status: 200 }),
    );
  }

  router.post(`${RELAY_PATH}/edit`, admin, (req, res) =>
    settle(req, res, 'edit', async () => {
      const [target] = targetsOf(req.body);
      if (target === undefined) throw new NotFoundError('network');
      const change = await service.note(target, readNote(req.body), pages.user(req).login);
      res.redirect(303, req.baseUrl + RELAY_PATH + savedQuery(change));
    }),
  );

  router.post(`${RELAY_PATH}/remove`, admin, (req, res) =>
    settle(req, res, 'remove', async () => {
      const targets = targetsOf(req.body);
      const actor = pages.user(req).login;
      if (oneText(req.body, 'intent') === 'preview') {
        const t = pages.translator(req);
        const { result } = await service.previewRemove(targets, actor);
        const rows = (await chosenIn(req.body)).map(({ network }) => {
          return { label: t('relay.remove.row'), before: network, after: '' };
        });
        await ask(req, res, 'remove', req.body, {
          status: 200,
          preview: viewPreview(t, rows, result),
        });
        return;
      }
      const change = await service.remove(targets, actor);
      res.redirect(303, req.baseUrl + RELAY_PATH + savedQuery(change));
    }),
  );

  /** Does it, or shows the page again with what went wrong. */
  const settle = async (
    req: Request,
    res: Response,
    view: 'edit' | 'remove',
    work: () => Promise<void>,
  ): Promise<void> => {
    const t = pages.translator(req);
    const note = oneText(req.body, 'note');
    try {
      await work();
    } catch (error) {
      if (error instanceof NotFoundError || error instanceof ConflictError) {
        const [title, text] = [t('relay.gone.title'), t('relay.gone.text')];
        const notices: Notice[] = [{ kind: 'warn', role: 'alert', title, paragraphs: [text] }];
        await ask(req, res, view, req.body, { status: 409, notices, note });
      } else if (error instanceof HelperError) {
        const notices = [saveFailed(t, error.toFailure(), web.has)];
        await ask(req, res, view, req.body, { status: 502, notices, note });
      } else if (error instanceof UserError) {
        await ask(req, res, view, req.body, { status: 422, problems: error.problems, note });
      } else {
        throw error;
      }
    }
  };

  const chosenIn = async (source: unknown): Promise<readonly ListedNetwork[]> => {
    const keys = allTexts(source, 'row');
    // A row that was changed meanwhile is still the row that was meant.
    const names = new Set(keys.map((key) => key.replace(/^(\d+)\.\d+$/, '$1')));
    const { networks } = await service.current();
    return networks.filter((one) => names.has(one.row?.id ?? targetKey(one)));
  };

  const ask = async (
    req: Request,
    res: Response,
    view: 'edit' | 'remove',
    source: unknown,
    { status, notices = [], problems = [], note, preview }: Asked,
  ): Promise<void> => {
    const t = pages.translator(req);
    const chosen = await chosenIn(source);
    const [first] = chosen;
    if (first === undefined) {
      const gone = allTexts(source, 'row').length === 0 ? '' : '?gone=1';
      res.redirect(303, `${req.baseUrl}${RELAY_PATH}${gone}`);
      return;
    }
    const current = await service.current();
    const values = { note: note ?? first.note };
    const listHref = req.baseUrl + RELAY_PATH;
    pages.page(
      req,
      res,
      { ...relayPage(web, req, view, status), title: titleOf(t, view, chosen) },
      {
        action: `${listHref}/${view}`,
        listHref,
        version: listVersion(current.networks),
        rows: chosen.map((one) => viewNetwork(t, pages.formats(req), listHref, one)),
        form: viewForm({ t, feature: 'relay', fields: ['note'], values, problems }),
        readOnly: false,
        saving: { possible: current.failure === null },
        notices,
        preview: preview ?? null,
      },
    );
  };
}

/** What the window's title says, so that two of them can be told apart. */
function titleOf(t: Translator, view: 'edit' | 'remove', chosen: readonly ListedNetwork[]): string {
  const values = { count: chosen.length, network: chosen[0]?.network ?? '' };
  return view === 'edit' ? t('relay.edit.title', values) : t('relay.remove.question', values);
}

/** Throws `NotFoundError` when a row is none of ours. */
function targetsOf(body: unknown): readonly NetworkTarget[] {
  return allTexts(body, 'row').map((key) => {
    const target = readTarget(key);
    if (target === null) throw new NotFoundError('network');
    return target;
  });
}
