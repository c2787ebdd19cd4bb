/** Local domains: one domain, and what the DNS says about it. */
import type { Request, Router } from 'express';
import type { DomainChecks } from '../lib/domains/checks.js';
import { DNS_QUESTIONS, type DnsFindings } from '../lib/domains/dns-check.js';
import { wordOf } from '../lib/domains/finding.js';
import { domainPath, viewDomain } from '../lib/domains/list-view.js';
import type { CurrentDomains, DomainsService, ListedDomain } from '../lib/domains/service.js';
import { NotFoundError } from '../lib/errors.js';
import type { Web } from '../lib/web/web.js';
import { DOMAINS_PATH, domainsPage } from './domains-page.js';

const PATH = `${DOMAINS_PATH}/:domain`;
/** A record is one long word: it may be broken after so many characters where the screen is narrow. */
const RECORD_PARTS = /.{1,40}/g;

export function domainsShowRoutes(
  router: Router,
  web: Web,
  service: DomainsService,
  checks: DomainChecks,
): void {
  const { pages, host } = web;
  const read = host.requireRole('mail.read');

  router.get(PATH, read, async (req, res) => {
    const current = await service.current();
    const domain = find(current, req);
    const t = pages.translator(req);
    const format = pages.formats(req);
    const list = req.baseUrl + DOMAINS_PATH;
    const known = await checks.look([domain.name]);
    const check = known.checks.get(domain.name);
    const pending = known.pending.has(domain.name);
    const row = viewDomain(t, format, list, domain, check, pending);
    const ages = {
      pending: t('domains.dns.pending'),
      none: t('domains.dns.never'),
      known: check === undefined ? '' : t('domains.dns.age', { when: format.ago(check.at) }),
    };
    pages.page(
      req,
      res,
      { ...domainsPage(web, req, 'show'), title: row.shown, heading: row.shown },
      {
        notices: [],
        lead: lead(req, domain),
        otherForm: row.shown === row.name ? '' : t('domains.inDns', { name: row.name }),
        dnsLead:
          current.machine === null
            ? t('domains.dns.leadUnknown')
            : t('domains.dns.lead', { server: current.machine.serverName }),
        findings: check === undefined ? [] : findings(req, check.findings),
        pending,
        age: pending ? ages.pending : check === undefined ? ages.none : ages.known,
        href: row.href,
        removeHref: row.removeHref,
        listHref: list,
      },
    );
  });

  router.get(`${PATH}/check`, read, async (req, res) => {
    const domain = find(await service.current(), req);
    const { checks: known, pending } = await checks.look([domain.name]);
    const row = viewDomain(
      pages.translator(req),
      pages.formats(req),
      req.baseUrl + DOMAINS_PATH,
      domain,
      known.get(domain.name),
      pending.has(domain.name),
    );
    pages.part(req, res, 'domains/check-part', { row });
  });

  router.post(`${PATH}/check`, host.requireRole('mail.operate'), async (req, res) => {
    const domain = find(await service.current(), req);
    checks.renew(domain.name);
    res.redirect(303, `${req.baseUrl}${DOMAINS_PATH}/${domainPath(domain)}`);
  });

  const lead = (req: Request, { row }: ListedDomain): string => {
    const t = pages.translator(req);
    if (row === null) return t('domains.show.machine');
    const when = pages.formats(req).moment(row.updatedAt);
    return t('domains.show.added', { when, who: row.updatedBy });
  };

  const findings = (req: Request, found: DnsFindings): readonly object[] => {
    const t = pages.translator(req);
    return DNS_QUESTIONS.map((name) => {
      const { state, key, values } = found[name];
      return {
        question: t(`domains.dns.${name}`),
        state,
        word: t(wordOf(found[name])),
        text: t(key, values),
        record: String(values['record'] ?? '').match(RECORD_PARTS) ?? [],
      };
    });
  };
}

function find({ domains }: CurrentDomains, req: Request): ListedDomain {
  const wanted = String(req.params['domain']);
  // A page from before the first save asks by name.
  const domain =
    domains.find((candidate) => domainPath(candidate) === wanted) ??
    domains.find(({ name }) => name === wanted);
  if (domain === undefined) throw new NotFoundError(`domain ${wanted}`);
  return domain;
}
