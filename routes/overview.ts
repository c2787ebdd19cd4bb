/** Overview: is mail flowing, what is to do, how each part is, what was changed last; the first steps; a test message. */
import type { Request, Response, Router } from 'express';
import type { Changes } from '../lib/changes/service.js';
import { HelperError, type Problem } from '../lib/errors.js';
import type { GuideService } from '../lib/guide/service.js';
import { viewGuide } from '../lib/guide/view.js';
import { changeLines } from '../lib/history/view.js';
import { viewDns } from '../lib/overview/dns-view.js';
import type { Machine } from '../lib/machine/service.js';
import type { Part } from '../lib/overview/part.js';
import type { Overview, OverviewService, Trouble } from '../lib/overview/service.js';
import type { SmarthostService } from '../lib/smarthost/service.js';
import { oneText } from '../lib/web/fields.js';
import { viewForm } from '../lib/web/form.js';
import { noticeView } from '../lib/queue/notice-view.js';
import type { QueueNotice } from '../lib/queue/watch.js';
import { helperAway, requestFailed } from '../lib/web/helper-notices.js';
import type { Notice } from '../lib/web/notice.js';
import type { Web } from '../lib/web/web.js';
import { GUIDE_PATH } from './guide.js';
import { queueParts } from './queue.js';
import { sendTest, viewTrial } from './smarthost-trials.js';

/** How often a page without a script looks whether a test message has arrived, in seconds. */
const RELOAD_S = 2;

const START_PATH = '/start';
/** The trouble that starting Postfix ends. */
const STOPPED = 'overview.trouble.stopped';

export interface OverviewServices {
  readonly overview: OverviewService;
  readonly guide: GuideService;
  readonly smarthost: SmarthostService;
  readonly changes: Pick<Changes, 'glance' | 'takenBack'>;
  readonly machine: Pick<Machine, 'start'>;
}

export function overviewRoutes(router: Router, web: Web, services: OverviewServices): void {
  const { host, pages } = web;

  router.get('/', host.requireRole('mail.read'), (req, res) => show(req, res));

  /** The form of the test message. */
  router.post('/', host.requireRole('mail.operate'), async (req, res) => {
    const { id, problems } = sendTest(web, services.smarthost, req);
    if (id === null) return show(req, res, { status: 422, problems });
    res.redirect(303, `${req.baseUrl}/?test=${id}`);
  });

  router.post(START_PATH, host.requireRole('mail.admin'), async (req, res) => {
    try {
      await services.machine.start(pages.user(req).login);
      res.redirect(303, `${req.baseUrl}/?started=1`);
    } catch (error) {
      if (!(error instanceof HelperError)) throw error;
      const failed = requestFailed(pages.translator(req), error.toFailure(), web.has);
      await show(req, res, { status: 502, failed: [failed] });
    }
  });

  /** `problems`: of a test message that was not sent; `failed`: why something else was not done. */
  const show = async (
    req: Request,
    res: Response,
    {
      status = 200,
      problems = [],
      failed = [],
    }: {
      readonly status?: number;
      readonly problems?: readonly Problem[];
      readonly failed?: readonly Notice[];
    } = {},
  ): Promise<void> => {
    const t = pages.translator(req);
    const format = pages.formats(req);
    const [{ overview, parts, missed }, guide, { settings }] = await Promise.all([
      services.overview.page(),
      services.guide.look(),
      services.smarthost.current(),
    ]);
    const trial = viewTrial(web, services.smarthost, req, oneText(req.query, 'test'));
    const { sender, recipient } = services.smarthost.addresses(
      settings,
      pages.user(req),
      overview.machine,
    );
    const guided = !guide.complete && !guide.hidden;
    const typed = {
      testSender: oneText(req.body, 'testSender') || sender,
      testRecipient: oneText(req.body, 'testRecipient') || recipient,
    };
    const fields = Object.keys(typed);
    const info = { view: 'overview/index', title: t('overview.title'), menu: 'overview' };
    pages.page(
      req,
      res,
      { ...info, status, failed: status >= 400 },
      {
        state: stateView(req, overview, guided),
        checked:
          overview.machine === null
            ? ''
            : t('overview.checked', { when: pages.formats(req).moment(overview.machine.at) }),
        guide: guided ? viewGuide(t, format, req.baseUrl, guide) : null,
        guideHidden: !guide.complete && guide.hidden,
        guideAction: req.baseUrl + GUIDE_PATH,
        startAction: req.baseUrl + START_PATH,
        notices: [
          ...failed,
          ...startedNotice(req, overview),
          ...notices(req, overview, missed, guided),
        ],
        parts: parts.map((part) => viewPart(req, part)),
        dns: viewDns(t, format, `${req.baseUrl}/configuration/domains`, overview.dns),
        trial,
        refresh: trial?.running ? RELOAD_S : 0,
        form: viewForm({ t, feature: 'smarthost', fields, values: typed, problems }),
        saving: { possible: overview.failure === null },
        sends: settings.host !== '',
        addresses: { sender: typed.testSender, recipient: typed.testRecipient },
        messageAction: `${req.baseUrl}/`,
        mayOperate: pages.may(req, 'mail.operate'),
        mayChange: pages.may(req, 'mail.admin'),
        changes: await changeLines(web, services.changes, req, overview.last),
      },
    );
  };

  /** The one sentence about how things are, and what it means. */
  const stateView = (req: Request, overview: Overview, guided: boolean): object => {
    const t = pages.translator(req);
    const { state, machine, domains } = overview;
    const { trouble, notice } = worstOf(overview);
    if (notice !== null) {
      const { title, paragraphs, link } = noticeView(queueParts(web, req), notice);
      return { kind: state, sentence: title, meaning: paragraphs, link };
    }
    const facts =
      machine === null || !machine.postfix.running
        ? []
        : [
            t('overview.facts.name', { name: machine.serverName }),
            t('overview.facts.domains', { count: domains }),
          ];
    return {
      kind: state,
      sentence:
        trouble === null
          ? t(`overview.state.${guided && state === 'ok' ? 'guided' : state}`)
          : t(trouble.key, trouble.values),
      meaning: trouble === null ? facts : [t(`${trouble.key}.meaning`)],
      link: trouble === null ? null : remedyOf(req, trouble),
      mayStart: trouble?.key === STOPPED && pages.may(req, 'mail.admin'),
    };
  };

  /** Where a trouble is put right; null when no page of ours can. */
  const remedyOf = (
    req: Request,
    { key, remedy }: Pick<Trouble, 'key' | 'remedy'>,
  ): { href: string; text: string } | null =>
    remedy === ''
      ? null
      : { href: req.baseUrl + remedy, text: pages.translator(req)(`${key}.remedy`) };

  const viewPart = (req: Request, { id, path, kind, word, say }: Part): object => {
    const t = pages.translator(req);
    return {
      name: t(`overview.part.${id}`),
      href: req.baseUrl + path,
      kind,
      word: t(word),
      sentences: say(t, pages.formats(req)),
    };
  };

  const missedNotice = (req: Request, missed: readonly string[]): Notice => {
    const t = pages.translator(req);
    const names = pages.formats(req).list(missed.map((id) => t(`overview.part.${id}`)));
    return {
      kind: 'warn',
      title: t('overview.missed.title'),
      paragraphs: [t('overview.missed.text', { names })],
      link: { href: `${req.baseUrl}/`, text: t('overview.again') },
    };
  };

  const startedNotice = (req: Request, { machine }: Overview): readonly Notice[] => {
    if (oneText(req.query, 'started') === '' || machine?.postfix.running !== true) return [];
    const title = pages.translator(req)('overview.started');
    return [{ kind: 'ok', role: 'status', title, paragraphs: [] }];
  };

  /** Everything that is not in the sentence already, nor among the first steps while they are shown. */
  const notices = (
    req: Request,
    overview: Overview,
    missed: readonly string[],
    guided: boolean,
  ): readonly Notice[] => {
    const t = pages.translator(req);
    const { failure, machine, troubles, queue } = overview;
    const away =
      failure === null
        ? []
        : [helperAway(t, pages.formats(req), failure.toFailure(), machine, web.has)];
    const worst = worstOf(overview);
    const rest = troubles.filter(
      (one) => one !== worst.trouble && (!guided || one.key !== 'overview.trouble.noDomain'),
    );
    const ofQueue = queue.filter((one) => one !== worst.notice);
    const viewQueue = (kind: QueueNotice['kind']): readonly Notice[] =>
      ofQueue
        .filter((one) => one.kind === kind)
        .map((notice) => noticeView(queueParts(web, req), notice));
    const first: Notice = {
      kind: 'info',
      title: t('overview.takeover.title'),
      paragraphs: [t('overview.takeover.text')],
      link: { href: `${req.baseUrl}/takeover`, text: t('overview.takeover.remedy') },
    };
    return [
      ...away,
      ...(failure !== null || missed.length === 0 ? [] : [missedNotice(req, missed)]),
      ...(overview.takeover ? [first] : []),
      ...viewQueue('bad'),
      ...rest.map(({ severity, key, values, remedy }): Notice => {
        const notice: Notice = {
          kind: severity,
          title: t(key, values),
          paragraphs: [t(`${key}.meaning`)],
        };
        const link = remedyOf(req, { key, remedy });
        return link === null ? notice : { ...notice, link };
      }),
      ...viewQueue('warn'),
    ];
  };
}

/** What the one sentence is about when mail does not flow: a trouble, or mail that cannot get on. */
function worstOf({ state, troubles, queue }: Overview): {
  readonly trouble: Trouble | null;
  readonly notice: QueueNotice | null;
} {
  const none = { trouble: null, notice: null };
  if (state !== 'bad') return none;
  const trouble = troubles.find(({ severity }) => severity === 'bad') ?? null;
  if (trouble !== null) return { ...none, trouble };
  return { ...none, notice: queue.find(({ kind }) => kind === 'bad') ?? null };
}
