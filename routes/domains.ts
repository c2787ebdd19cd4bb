/** Local domains: mail to these is accepted and delivered here. The list, and adding. */
import type { Request, Response, Router } from 'express';
import type { DomainChecks } from '../lib/domains/checks.js';
import { toAsciiDomain } from '../lib/domains/schema.js';
import { DOMAIN_SORTS, otherInWords, selectDomains, viewDomain } from '../lib/domains/list-view.js';
import type { CurrentDomains, DomainsService } from '../lib/domains/service.js';
import { HelperError, UserError, type Problem } from '../lib/errors.js';
import { oneText, quote, readFields } from '../lib/web/fields.js';
import { viewForm } from '../lib/web/form.js';
import { saveFailed } from '../lib/web/helper-notices.js';
import { listLinks, pageOf, readListQuery } from '../lib/web/list.js';
import type { Notice } from '../lib/web/notice.js';
import { viewPreview, type PreviewView } from '../lib/web/preview.js';
import { savedQuery } from '../lib/web/saved-notice.js';
import { standingNotices } from '../lib/web/standing-notices.js';
import type { Web } from '../lib/web/web.js';
import { DOMAINS_PATH, domainsPage, listVersion } from './domains-page.js';

interface Shown {
  readonly status: number;
  readonly typed?: string;
  readonly problems?: readonly Problem[];
  readonly notices?: readonly Notice[];
  readonly preview?: PreviewView;
}

export function domainsRoutes(
  router: Router,
  web: Web,
  service: DomainsService,
  checks: DomainChecks,
): void {
  const { pages, host } = web;

  router.get(DOMAINS_PATH, host.requireRole('mail.read'), async (req, res) => {
    const gone = oneText(req.query, 'gone') === '' ? [] : [goneNotice(req)];
    await show(req, res, { status: 200, notices: [...gone, ...(await web.saved(req))] });
  });

  router.post(DOMAINS_PATH, host.requireRole('mail.admin'), async (req, res) => {
    const typed = readFields(req.body, ['name']).values['name'] ?? '';
    try {
      const name = wantedName(req.body);
      const actor = pages.user(req).login;
      if (oneText(req.body, 'intent') === 'preview') {
        const t = pages.translator(req);
        const { result } = await service.previewAdd(name, actor);
        const row = { label: t('domains.add.title'), before: '', after: typed };
        await show(req, res, { status: 200, typed, preview: viewPreview(t, [row], result) });
        return;
      }
      const change = await service.add(name, actor);
      checks.renew(name);
      res.redirect(303, req.baseUrl + DOMAINS_PATH + savedQuery(change));
    } catch (error) {
      if (error instanceof UserError) {
        await show(req, res, { status: 422, typed, problems: error.problems });
      } else if (error instanceof HelperError && error.key.startsWith('domains.problem.')) {
        // What the helper refuses about a domain, a person can put right.
        const problems = [{ key: error.key, values: {}, field: 'name' }];
        await show(req, res, { status: 422, typed, problems });
      } else if (error instanceof HelperError) {
        const notices = [saveFailed(pages.translator(req), error.toFailure(), web.has)];
        await show(req, res, { status: 502, typed, notices });
      } else {
        throw error;
      }
    }
  });

  const show = async (req: Request, res: Response, shown: Shown): Promise<void> => {
    const t = pages.translator(req);
    const { typed = '', problems = [], notices = [] } = shown;
    const current = await service.current();
    const readOnly = !pages.may(req, 'mail.admin');
    const refused = notices.some(({ kind }) => kind === 'bad');
    const standing = standingNotices(
      t,
      pages.formats(req),
      { ...current, unclear: [], failure: refused ? null : current.failure },
      { readOnly, has: web.has, section: 'domains', mount: req.baseUrl },
    );
    pages.page(req, res, domainsPage(web, req, 'index', shown.status), {
      ...(await listContext(req, current)),
      form: viewForm({
        t,
        feature: 'domains',
        fields: ['name'],
        values: { name: typed },
        problems,
      }),
      version: listVersion(current.domains),
      readOnly,
      saving: { possible: current.failure === null },
      notices: [...notices, ...standing, ...localhostNotice(req, current)],
      preview: shown.preview ?? null,
      others:
        current.others.length === 0
          ? ''
          : pages
              .formats(req)
              .list(
                current.others.map((one) =>
                  otherInWords(t, one, current.machine?.serverName ?? ''),
                ),
              ),
    });
  };

  const listContext = async (req: Request, { domains }: CurrentDomains): Promise<object> => {
    const t = pages.translator(req);
    const format = pages.formats(req);
    const action = req.baseUrl + DOMAINS_PATH;
    const query = readListQuery(req.query, DOMAIN_SORTS);
    const page = pageOf(selectDomains(domains, query, format), query, ({ name }) => name);
    const { checks: known, pending } = await checks.look(page.rows.map(({ name }) => name));
    const rows = page.rows.map((domain) => {
      const { name } = domain;
      return viewDomain(t, format, action, domain, known.get(name), pending.has(name));
    });
    return {
      action,
      total: domains.length,
      list: { ...page, rows },
      links: listLinks(action, query, page, DOMAIN_SORTS),
    };
  };

  const localhostNotice = (req: Request, current: CurrentDomains): readonly Notice[] => {
    if (!current.onlyLocalhost || current.source === 'unknown') return [];
    const t = pages.translator(req);
    return [
      {
        kind: 'warn',
        title: t('domains.localhost.title'),
        paragraphs: [t('domains.localhost.text')],
        link: { href: '#add', text: t('domains.localhost.remedy') },
      },
    ];
  };

  const goneNotice = (req: Request): Notice => {
    const t = pages.translator(req);
    const paragraphs = [t('domains.gone.text')];
    return { kind: 'info', role: 'status', title: t('domains.gone.title'), paragraphs };
  };
}

/** The name that was typed, in A-labels. Throws `UserError` at the field. */
function wantedName(body: unknown): string {
  const { values, problems } = readFields(body, ['name']);
  if (problems.length > 0) throw new UserError(problems);
  const typed = values['name'] ?? '';
  if (typed === '')
    throw new UserError({ key: 'domains.problem.empty', values: {}, field: 'name' });
  const name = toAsciiDomain(typed.startsWith('@') ? typed.slice(1) : typed);
  if (name !== null) return name;
  const key = typed.includes('@') ? 'domains.problem.address' : 'domains.problem.name';
  throw new UserError({ key, values: { value: quote(typed) }, field: 'name' });
}
