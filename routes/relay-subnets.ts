/** Open relay subnets: who may send outside without login. The list, adding with a second yes, and the self-check. */
import type { Request, Response, Router } from 'express';
import { HelperError, UserError, type Problem } from '../lib/errors.js';
import {
  NETWORK_SORTS,
  selectNetworks,
  viewCheck,
  viewNetwork,
} from '../lib/relay-subnets/list-view.js';
import {
  letsStrangersIn,
  type CurrentNetworks,
  type RelayService,
} from '../lib/relay-subnets/service.js';
import {
  countOf,
  readNetwork,
  suggestionsFor,
  type TypedNetwork,
} from '../lib/relay-subnets/typed.js';
import { oneText, readFields, type FieldValues } from '../lib/web/fields.js';
import { viewForm } from '../lib/web/form.js';
import { requestFailed, saveFailed } from '../lib/web/helper-notices.js';
import { listLinks, pageOf, readListQuery } from '../lib/web/list.js';
import type { Notice } from '../lib/web/notice.js';
import { viewPreview, type PreviewView } from '../lib/web/preview.js';
import { savedQuery } from '../lib/web/saved-notice.js';
import { standingNotices } from '../lib/web/standing-notices.js';
import type { Web } from '../lib/web/web.js';
import { isYes, listVersion, readNote, RELAY_PATH, relayPage } from './relay-subnets-page.js';

interface Shown {
  readonly status: number;
  readonly typed?: FieldValues;
  readonly problems?: readonly Problem[];
  readonly notices?: readonly Notice[];
  readonly preview?: PreviewView;
  /** A network that is added only after a second yes. */
  readonly doubtful?: TypedNetwork;
}

export function relayRoutes(router: Router, web: Web, service: RelayService): void {
  const { pages, host } = web;

  router.get(RELAY_PATH, host.requireRole('mail.read'), async (req, res) => {
    const gone = oneText(req.query, 'gone') === '' ? [] : [goneNotice(req)];
    await show(req, res, { status: 200, notices: [...gone, ...(await web.saved(req))] });
  });

  router.post(RELAY_PATH, host.requireRole('mail.admin'), async (req, res) => {
    const suggested = oneText(req.body, 'suggest');
    const typed = readFields(req.body, ['network', 'note']).values;
    if (suggested !== '') {
      await show(req, res, { status: 200, typed: { ...typed, network: suggested } });
      return;
    }
    try {
      const { values, problems } = readFields(req.body, ['network']);
      if (problems.length > 0) throw new UserError(problems);
      const note = readNote(req.body);
      const wanted = readNetwork(values['network'] ?? '');
      if (wanted.concern !== null && !isYes(req.body, 'confirm')) {
        const problem = {
          key: `relay.problem.confirm.${wanted.concern}`,
          values: {},
          field: 'confirm',
        };
        await show(req, res, { status: 422, typed, problems: [problem], doubtful: wanted });
        return;
      }
      await add(req, res, wanted, note, typed);
    } catch (error) {
      if (error instanceof UserError) {
        await show(req, res, { status: 422, typed, problems: error.problems });
      } else if (error instanceof HelperError) {
        const notices = [saveFailed(pages.translator(req), error.toFailure(), web.has)];
        await show(req, res, { status: 502, typed, notices });
      } else {
        throw error;
      }
    }
  });

  router.post(`${RELAY_PATH}/check`, host.requireRole('mail.operate'), async (req, res) => {
    try {
      await service.check(pages.user(req).login);
      res.redirect(303, `${req.baseUrl}${RELAY_PATH}#check`);
    } catch (error) {
      if (!(error instanceof HelperError)) throw error;
      const notices = [requestFailed(pages.translator(req), error.toFailure(), web.has)];
      await show(req, res, { status: 502, notices });
    }
  });

  const add = async (
    req: Request,
    res: Response,
    { text }: TypedNetwork,
    note: string,
    typed: FieldValues,
  ): Promise<void> => {
    const actor = pages.user(req).login;
    if (oneText(req.body, 'intent') !== 'preview') {
      const change = await service.add(text, note, actor);
      res.redirect(303, req.baseUrl + RELAY_PATH + savedQuery(change));
      return;
    }
    const t = pages.translator(req);
    const { result } = await service.previewAdd(text, note, actor);
    const row = { label: t('relay.add.title'), before: '', after: text };
    const confirm = isYes(req.body, 'confirm') ? 'yes' : '';
    const again = { ...typed, network: text, confirm };
    await show(req, res, { status: 200, typed: again, preview: viewPreview(t, [row], result) });
  };

  const show = async (req: Request, res: Response, shown: Shown): Promise<void> => {
    const t = pages.translator(req);
    const { typed = {}, problems = [], notices = [], doubtful } = shown;
    const current = await service.current();
    const readOnly = !pages.may(req, 'mail.admin');
    const refused = notices.some(({ kind }) => kind === 'bad');
    const standing = standingNotices(
      t,
      pages.formats(req),
      { ...current, unclear: [], failure: refused ? null : current.failure },
      { readOnly, has: web.has, section: 'relay', mount: req.baseUrl },
    );
    const faulty = problems.some(({ key }) => key === 'relay.problem.hostBits');
    pages.page(req, res, relayPage(web, req, 'index', shown.status), {
      ...listContext(req, current),
      form: viewForm({
        t,
        feature: 'relay',
        fields: ['network', 'note', 'confirm'],
        values: typed,
        problems,
      }),
      suggestions: faulty ? suggestionsFor(typed['network'] ?? '') : [],
      doubt: doubtful ? doubtOf(req, doubtful) : '',
      confirmed: typed['confirm'] === 'yes',
      version: listVersion(current.networks),
      readOnly,
      saving: { possible: current.failure === null },
      notices: [...notices, ...standing, ...elsewhereNotices(req, current)],
      preview: shown.preview ?? null,
      check: viewCheck(t, pages.formats(req), service.lastCheck()),
      mayCheck: pages.may(req, 'mail.operate'),
      checkAction: `${req.baseUrl}${RELAY_PATH}/check`,
    });
  };

  const listContext = (req: Request, { networks, unclear, byHand }: CurrentNetworks): object => {
    const t = pages.translator(req);
    const action = req.baseUrl + RELAY_PATH;
    const query = readListQuery(req.query, NETWORK_SORTS);
    const page = pageOf(selectNetworks(networks, query), query, ({ network }) => network);
    const rows = page.rows.map((one) => viewNetwork(t, pages.formats(req), action, one));
    return {
      action,
      total: networks.length,
      // Whoever was let in elsewhere stands in the notices: then it is not nobody.
      nobody: unclear.length + byHand.length === 0,
      list: { ...page, rows },
      links: listLinks(action, query, page, NETWORK_SORTS),
    };
  };

  const doubtOf = (req: Request, { network, text, concern }: TypedNetwork): string => {
    const values = { network: text, count: countOf(network) };
    return pages.translator(req)(`relay.doubt.${concern ?? 'wide'}`, values);
  };

  /** What else decides who may send, beside the list: told first when it lets everybody in. */
  const elsewhereNotices = (req: Request, current: CurrentNetworks): readonly Notice[] => {
    const t = pages.translator(req);
    const link = { href: `${req.baseUrl}/differences`, text: t('relay.elsewhere.remedy') };
    const open = current.unclear.filter(letsStrangersIn);
    const others = current.unclear.filter((one) => !open.includes(one));
    const points = (list: CurrentNetworks['unclear']): string[] =>
      list.map(({ key, value, parameter }) => t(key, { value, parameter }));
    return [
      ...(open.length === 0
        ? []
        : [
            {
              kind: 'bad' as const,
              title: t('relay.elsewhere.open.title'),
              paragraphs: [t('relay.elsewhere.open.text')],
              points: points(open),
              link,
            },
          ]),
      ...(current.byHand.length === 0
        ? []
        : [
            {
              kind: 'warn' as const,
              title: t('relay.elsewhere.byHand.title', { count: current.byHand.length }),
              paragraphs: [t('relay.elsewhere.byHand.text')],
              points: current.byHand,
              link,
            },
          ]),
      ...(others.length === 0
        ? []
        : [
            {
              kind: 'info' as const,
              title: t('relay.elsewhere.others.title'),
              paragraphs: [t('relay.elsewhere.others.text')],
              points: points(others),
            },
          ]),
    ];
  };

  const goneNotice = (req: Request): Notice => {
    const t = pages.translator(req);
    const paragraphs = [t('relay.gone.text')];
    return { kind: 'info', role: 'status', title: t('relay.gone.title'), paragraphs };
  };
}
