/** Taking over a mail server that somebody else set up: what was found, and the one yes. */
import type { Request, Response, Router } from 'express';
import { HelperError, UserError } from '../lib/errors.js';
import { destinationText } from '../lib/fetchmail/list-view.js';
import type { FetchmailTakeover, TakeoverEntry } from '../lib/fetchmail/take-over-service.js';
import { settingRows } from '../lib/history/words.js';
import { VERDICTS, type Finding } from '../lib/takeover/finding.js';
import type { TakeoverLook, TakeoverService } from '../lib/takeover/service.js';
import { oneText } from '../lib/web/fields.js';
import { requestFailed, saveFailed } from '../lib/web/helper-notices.js';
import type { Notice } from '../lib/web/notice.js';
import { savedQuery } from '../lib/web/saved-notice.js';
import type { SectionPages } from '../lib/manifest.js';
import type { Web } from '../lib/web/web.js';
import { FETCHMAIL_PATH } from './fetchmail-page.js';

const PATH = '/takeover';

export function takeoverRoutes(
  router: Router,
  web: Web,
  service: TakeoverService,
  fetchmail: FetchmailTakeover,
  pagesOf: SectionPages,
): void {
  const { host, pages } = web;

  router.get(PATH, host.requireRole('mail.read'), async (req, res) => {
    await show(req, res, 200, await web.saved(req));
  });

  router.post(PATH, host.requireRole('mail.admin'), async (req, res) => {
    await settle(req, res, PATH, service);
  });

  router.post(`${PATH}/fetchmail`, host.requireRole('mail.admin'), async (req, res) => {
    await settle(req, res, FETCHMAIL_PATH, fetchmail);
  });

  const settle = async (
    req: Request,
    res: Response,
    next: string,
    one: Pick<TakeoverService, 'accept'>,
  ): Promise<void> => {
    const t = pages.translator(req);
    try {
      const change = await one.accept(oneText(req.body, 'digest'), pages.user(req).login);
      res.redirect(303, req.baseUrl + next + savedQuery(change));
    } catch (error) {
      if (error instanceof UserError) {
        const paragraphs = error.problems.map(({ key, values }) => t(key, values));
        const title = t('takeover.refused');
        const notice: Notice = { kind: 'bad', role: 'alert', focus: true, title, paragraphs };
        await show(req, res, 422, [notice]);
      } else if (error instanceof HelperError) {
        await show(req, res, 502, [saveFailed(t, error.toFailure(), web.has)]);
      } else {
        throw error;
      }
    }
  };

  const show = async (
    req: Request,
    res: Response,
    status: number,
    notices: readonly Notice[],
  ): Promise<void> => {
    const t = pages.translator(req);
    const [{ look, failure }, mailboxes] = await Promise.all([lookNow(req), viewFetchmail(req)]);
    const away =
      failure === null || status >= 400 ? [] : [requestFailed(t, failure.toFailure(), web.has)];
    const findings = look?.findings ?? [];
    const count = (verdict: Finding['verdict']) =>
      findings.filter((finding) => finding.verdict === verdict).length;
    pages.page(
      req,
      res,
      {
        view: 'takeover/index',
        title: t('takeover.title'),
        menu: 'history',
        tab: 'takeover',
        status: failure === null ? status : 502,
        failed: status >= 400 || failure !== null,
      },
      {
        notices: [...notices, ...away],
        state: look === null ? null : stateOf(req, look, count('contradictory')),
        groups: VERDICTS.map((verdict) => ({
          verdict,
          title: t(`takeover.group.${verdict}`, { count: count(verdict) }),
          means: t(`takeover.means.${verdict}`),
          rows: findings
            .filter((finding) => finding.verdict === verdict)
            .map((finding) => viewFinding(req, finding)),
        })).filter(({ rows }) => rows.length > 0),
        settings: (look?.open ?? []).map((section) => ({
          title: t(pagesOf.get(section)?.label ?? 'takeover.page.none'),
          rows: settingsOf(req, look, section),
        })),
        digest: look?.digest ?? '',
        canTake: look !== null && look.open.length > 0 && pages.may(req, 'mail.admin'),
        readOnly: !pages.may(req, 'mail.admin'),
        fetchmail: mailboxes,
        action: req.baseUrl + PATH,
      },
    );
  };

  /** Nothing where there is none, and where nobody can look: that is said once. */
  const viewFetchmail = async (req: Request): Promise<object | null> => {
    const t = pages.translator(req);
    try {
      const seen = await fetchmail.look(pages.user(req).login);
      if (seen === null) return null;
      const able = seen.entries.filter(({ query }) => query !== null).length;
      const rest = seen.entries.length - able;
      return {
        ...{ file: seen.file, digest: seen.digest, complaint: seen.complaint },
        sentence: t(`takeover.fetchmail.${seen.running ? 'running' : 'there'}`, {
          file: seen.file,
        }),
        warning: rest > 0 && able > 0 ? t('takeover.fetchmail.rest', { count: rest }) : '',
        able,
        rows: seen.entries.map((entry) => viewEntry(req, entry)),
      };
    } catch (error) {
      if (error instanceof HelperError) return null;
      throw error;
    }
  };

  const viewEntry = (req: Request, entry: TakeoverEntry): object => {
    const t = pages.translator(req);
    const { poll, user, query, reason, values, without } = entry;
    const options = without.join(', ');
    const left = options === '' ? '' : t('takeover.fetchmail.without', { options });
    const state = query?.enabled === false ? t('takeover.fetchmail.off') : '';
    return {
      poll,
      user,
      good: query !== null,
      to: query === null ? '' : destinationText(t, { id: '', ...query }),
      becomes:
        query === null
          ? t(reason, values)
          : [t('takeover.fetchmail.becomes'), state, left].filter((one) => one !== '').join(' '),
    };
  };

  const lookNow = async (
    req: Request,
  ): Promise<{ look: TakeoverLook | null; failure: HelperError | null }> => {
    try {
      return { look: await service.look(pages.user(req).login), failure: null };
    } catch (error) {
      if (error instanceof HelperError) return { look: null, failure: error };
      throw error;
    }
  };

  const stateOf = (req: Request, { open, saved }: TakeoverLook, contradictory: number): object => {
    const t = pages.translator(req);
    if (open.length === 0) return { kind: 'ok', sentence: t('takeover.state.done') };
    const kind = contradictory > 0 ? 'warn' : 'info';
    const sentence = t(saved.length > 0 ? 'takeover.state.rest' : 'takeover.state.open', {
      count: contradictory,
    });
    return { kind, sentence };
  };

  /** What a page will say, as the history would tell it. */
  const settingsOf = (
    req: Request,
    look: TakeoverLook | null,
    section: string,
  ): readonly object[] => {
    const rows = (look?.preview?.rows ?? []).filter(
      ({ table, id }) => (table === 'mail_settings' ? id : tableOf(table)) === section,
    );
    return settingRows(pages.translator(req), web.has, rows).map(({ label, after }) => ({
      label,
      value: after,
    }));
  };

  const viewFinding = (req: Request, finding: Finding): object => {
    const t = pages.translator(req);
    const { parameter, value, where, reason, values, section } = finding;
    const page = section === null ? undefined : pagesOf.get(section);
    const said = { ...values, parameter, value };
    return {
      parameter,
      value,
      where:
        where.line === null
          ? where.file
          : t('takeover.where', { file: where.file, line: String(where.line) }),
      reason:
        reason === 'inexpressible'
          ? t(String(values['key']), said)
          : t(`takeover.reason.${reason}`, said),
      page: page === undefined ? '' : t(page.label),
      href: page === undefined ? '' : req.baseUrl + page.path,
    };
  };
}

/** The section whose list a table is. */
function tableOf(table: string): string {
  return { mail_domains: 'domains', mail_relay_networks: 'relay' }[table] ?? '';
}
