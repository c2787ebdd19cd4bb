/** Overview: is mail flowing, what is to do, what was changed last. */
import type { Request, Router } from 'express';
import { changeLine } from '../lib/history/view.js';
import type { Overview, OverviewService } from '../lib/overview/service.js';
import { noticeView } from '../lib/queue/notice-view.js';
import { helperAway } from '../lib/web/helper-notices.js';
import type { Notice } from '../lib/web/notice.js';
import type { Web } from '../lib/web/web.js';
import { queueParts } from './queue.js';

export function overviewRoutes(router: Router, web: Web, service: OverviewService): void {
  const { host, pages } = web;

  router.get('/', host.requireRole('mail.read'), async (req, res) => {
    const t = pages.translator(req);
    const overview = await service.look();
    pages.page(
      req,
      res,
      { view: 'overview/index', title: t('overview.title'), menu: 'overview' },
      {
        state: stateView(req, overview),
        checked:
          overview.machine === null
            ? ''
            : t('overview.checked', { when: pages.formats(req).moment(overview.machine.at) }),
        notices: notices(req, overview),
        changes: overview.last.map((change) => changeLine(web, req, change)),
      },
    );
  });

  /** The one sentence about how things are, and what it means. */
  const stateView = (req: Request, { state, machine, domains, troubles }: Overview): object => {
    const t = pages.translator(req);
    const [worst] = troubles;
    const named = state === 'bad' && worst !== undefined;
    const facts =
      machine === null || !machine.postfix.running
        ? []
        : [
            t('overview.facts.name', { name: machine.serverName }),
            t('overview.facts.domains', { count: domains }),
            t('overview.facts.room', { room: pages.formats(req).bytes(machine.queueFreeBytes) }),
          ];
    return {
      kind: state,
      sentence: named ? t(worst.key, worst.values) : t(`overview.state.${state}`),
      meaning: named ? [t(`${worst.key}.meaning`)] : facts,
    };
  };

  /** Everything that is not in the sentence already. */
  const notices = (req: Request, overview: Overview): readonly Notice[] => {
    const t = pages.translator(req);
    const { failure, machine, troubles, state, queue } = overview;
    const away =
      failure === null
        ? []
        : [helperAway(t, pages.formats(req), failure.toFailure(), machine, web.has)];
    const rest = state === 'bad' ? troubles.slice(1) : troubles;
    const first: Notice = {
      kind: 'info',
      title: t('overview.takeover.title'),
      paragraphs: [t('overview.takeover.text')],
      link: { href: `${req.baseUrl}/takeover`, text: t('overview.takeover.remedy') },
    };
    return [
      ...away,
      ...(overview.takeover ? [first] : []),
      ...rest.map(({ severity, key, values, remedy }): Notice => {
        const notice: Notice = {
          kind: severity,
          title: t(key, values),
          paragraphs: [t(`${key}.meaning`)],
        };
        if (remedy === '') return notice;
        return { ...notice, link: { href: req.baseUrl + remedy, text: t(`${key}.remedy`) } };
      }),
      ...queue.map((notice) => noticeView(queueParts(web, req), notice)),
    ];
  };
}
