/** Local domains: removing, after a look at what goes with them. */
import type { Request, Response, Router } from 'express';
import { targetKey, readTarget } from '../lib/domains/list-view.js';
import type { DomainsService, DomainTarget, ListedDomain } from '../lib/domains/service.js';
import { ConflictError, HelperError, NotFoundError } from '../lib/errors.js';
import { allTexts, oneText } from '../lib/web/fields.js';
import { saveFailed } from '../lib/web/helper-notices.js';
import type { Notice } from '../lib/web/notice.js';
import { viewPreview, type PreviewView } from '../lib/web/preview.js';
import { savedQuery } from '../lib/web/saved-notice.js';
import { standingNotices } from '../lib/web/standing-notices.js';
import type { Web } from '../lib/web/web.js';
import { DOMAINS_PATH, domainsPage, listVersion, namedDomain } from './domains-page.js';

const PATH = `${DOMAINS_PATH}/remove`;

interface Asked {
  readonly status: number;
  readonly notices?: readonly Notice[];
  readonly preview?: PreviewView;
}

export function domainsRemoveRoutes(router: Router, web: Web, service: DomainsService): void {
  const { pages, host } = web;
  const admin = host.requireRole('mail.admin');

  router.get(PATH, admin, (req, res) => ask(req, res, req.query, { status: 200 }));

  router.post(PATH, admin, async (req, res) => {
    const actor = pages.user(req).login;
    const targets = targetsOf(req.body);
    try {
      if (oneText(req.body, 'intent') === 'preview') {
        const { result } = await service.previewRemove(targets, actor);
        const preview = viewPreview(pages.translator(req), await rowsOf(req), result);
        await ask(req, res, req.body, { status: 200, preview });
        return;
      }
      const change = await service.remove(targets, actor);
      res.redirect(303, req.baseUrl + DOMAINS_PATH + savedQuery(change));
    } catch (error) {
      if (error instanceof NotFoundError || error instanceof ConflictError) {
        const t = pages.translator(req);
        const [title, text] = [t('domains.gone.title'), t('domains.gone.text')];
        const notices: Notice[] = [{ kind: 'warn', role: 'alert', title, paragraphs: [text] }];
        await ask(req, res, req.body, { status: 409, notices });
      } else if (error instanceof HelperError) {
        const notices = [saveFailed(pages.translator(req), error.toFailure(), web.has)];
        await ask(req, res, req.body, { status: 502, notices });
      } else {
        throw error;
      }
    }
  });

  /** Shows what goes with the rows that are still there; back to the list when there are none. */
  const ask = async (
    req: Request,
    res: Response,
    source: unknown,
    { status, notices = [], preview }: Asked,
  ): Promise<void> => {
    const t = pages.translator(req);
    const current = await service.current();
    const keys = new Set(allTexts(source, 'row'));
    const chosen = current.domains.filter((domain) => keys.has(targetKey(domain)));
    if (chosen.length === 0) {
      res.redirect(303, `${req.baseUrl}${DOMAINS_PATH}${keys.size === 0 ? '' : '?gone=1'}`);
      return;
    }
    const losses = await service.losses(chosen.map(({ name }) => name));
    const refused = notices.some(({ kind }) => kind === 'bad');
    const standing = standingNotices(
      t,
      pages.formats(req),
      { ...current, unclear: [], failure: refused ? null : current.failure },
      { readOnly: false, has: web.has, section: 'domains', mount: req.baseUrl },
    );
    const shown = chosen.map(namedDomain);
    const question = { count: shown.length, domain: shown[0]?.shown ?? '' };
    const title = t('domains.remove.question', question);
    pages.page(
      req,
      res,
      { ...domainsPage(web, req, 'remove', status), title },
      {
        action: req.baseUrl + PATH,
        listHref: req.baseUrl + DOMAINS_PATH,
        version: listVersion(current.domains),
        rows: shown,
        losses: losses.map(({ key, values }) => t(key, values)),
        last: chosen.length === current.domains.length,
        saving: { possible: current.failure === null },
        notices: [...notices, ...standing],
        preview: preview ?? null,
      },
    );
  };

  const rowsOf = async (
    req: Request,
  ): Promise<{ label: string; before: string; after: string }[]> => {
    const t = pages.translator(req);
    const keys = new Set(allTexts(req.body, 'row'));
    const { domains } = await service.current();
    const chosen = domains.filter((domain: ListedDomain) => keys.has(targetKey(domain)));
    return chosen.map((domain) => ({
      label: t('domains.remove.row'),
      before: namedDomain(domain).shown,
      after: '',
    }));
  };
}

/** Throws `NotFoundError` when a row is none of ours. */
function targetsOf(body: unknown): readonly DomainTarget[] {
  return allTexts(body, 'row').map((key) => {
    const target = readTarget(key);
    if (target === null) throw new NotFoundError('domain');
    return target;
  });
}
