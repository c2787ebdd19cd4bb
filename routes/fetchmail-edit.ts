/** One query: adding it, its state, changing it, testing what is typed. */
import type { Request, Response, Router } from 'express';
import { toUnicodeDomain } from '../lib/domains/schema.js';
import type { RowKey } from '../lib/changes/rows.js';
import {
  ConflictError,
  HelperError,
  NotFoundError,
  UserError,
  type Problem,
} from '../lib/errors.js';
import { FORM_FIELDS, readQuery, toForm, type TypedQuery } from '../lib/fetchmail/form.js';
import { destinationText, protocolName } from '../lib/fetchmail/list-view.js';
import type { Decided, TypedPassword } from '../lib/fetchmail/password.js';
import type { Run } from '../lib/fetchmail/runs.js';
import {
  canEncrypt,
  effectivePort,
  NEW_QUERY,
  PROTOCOLS,
  type QueryValues,
} from '../lib/fetchmail/schema.js';
import type { FetchmailService, Listed } from '../lib/fetchmail/service.js';
import { statusFacts, viewStatus } from '../lib/fetchmail/status-view.js';
import { isPerson } from '../lib/person.js';
import { conflictTitle, goneNotice } from '../lib/web/conflict.js';
import { oneText } from '../lib/web/fields.js';
import { viewForm } from '../lib/web/form.js';
import { noHelper } from '../lib/changes/failures.js';
import { helperAway, saveFailed } from '../lib/web/helper-notices.js';
import type { Notice } from '../lib/web/notice.js';
import { viewPreview, type PreviewView } from '../lib/web/preview.js';
import { savedQuery } from '../lib/web/saved-notice.js';
import type { Web } from '../lib/web/web.js';
import { FETCHMAIL_PATH, fetchmailPage, viewRun, type RunView } from './fetchmail-page.js';

/** People the form shows to choose from at once; others are typed. */
const SHOWN_USERS = 60;
/** Fields that are folded away while they are as they always are. */
const FOLDED: readonly string[] = [
  ...['folders', 'timeout', 'sizeLimit', 'fetchLimit', 'batchLimit', 'expunge', 'dropDelivered'],
];
const USUAL = toForm(NEW_QUERY);

/** How often a page without a script looks whether a run has ended, in seconds. */
const RELOAD_S = 2;

/** Only with multidrop it is the question who gets what. */
const NOTHING_TO_SHARE: Problem = {
  key: 'fetchmail.problem.look',
  values: {},
  field: 'destination',
};

interface Shown {
  readonly key: RowKey | null;
  readonly typed: TypedQuery;
  readonly status?: number;
  readonly problems?: readonly Problem[];
  readonly notices?: readonly Notice[];
  readonly preview?: PreviewView;
  /** Of a typed password that waits for this form, '' for none. */
  readonly reference?: string;
  readonly run?: RunView | null;
  readonly listed?: Listed | null;
}

export function fetchmailEditRoutes(router: Router, web: Web, service: FetchmailService): void {
  const { pages, host } = web;
  const admin = host.requireRole('mail.admin');

  router.get(`${FETCHMAIL_PATH}/new`, admin, async (req, res) => {
    const run = service.runs.find(oneText(req.query, 'run'));
    await show(req, res, { key: null, ...restored(req, run, toForm(NEW_QUERY)) });
  });

  router.post(`${FETCHMAIL_PATH}/new`, admin, (req, res) => save(req, res, null));

  router.get(
    `${FETCHMAIL_PATH}/run/:run`,
    host.requireRole('mail.read'),
    (req: Request<{ run: string }>, res) => {
      const run = service.runs.find(req.params.run);
      if (run === null) throw new NotFoundError('run');
      pages.part(req, res, 'fetchmail/run-part', { run: viewRun(web, req, run, '') });
    },
  );

  router.get(`${FETCHMAIL_PATH}/:id`, host.requireRole('mail.read'), async (req, res) => {
    const listed = await service.get(String(req.params['id']));
    const { id, version } = listed.query;
    const asked = oneText(req.query, 'run');
    const run = asked === '' ? service.runs.last(id) : service.runs.find(asked);
    const shown = asked === '' && run?.now.state !== 'running' ? null : run;
    const notices = [...busyNotice(req), ...(await web.saved(req))];
    const key = { id, version };
    await show(req, res, {
      ...{ key, listed, notices },
      ...restored(req, shown, toForm(listed.query)),
    });
  });

  router.post(`${FETCHMAIL_PATH}/:id`, admin, async (req, res) => {
    const version = Number(oneText(req.body, 'version'));
    const id = String(req.params['id']);
    await save(req, res, { id, version: Number.isInteger(version) ? version : 0 });
  });

  /** The page of a run shows the form it was started from, else the query as it is. */
  const restored = (
    req: Request,
    run: Run | null,
    typed: TypedQuery,
  ): Pick<Shown, 'typed' | 'reference' | 'run'> => {
    if (run === null) return { typed };
    const server = run.form?.values['server'] || run.form?.values['name'] || '';
    const view = viewRun(web, req, run, server);
    if (run.form === null) return { typed, run: view };
    const { values, lists, reference } = run.form;
    return { typed: { values, lists }, reference, run: view };
  };

  const save = async (req: Request, res: Response, key: RowKey | null): Promise<void> => {
    const current = key === null ? null : await stillThere(key.id);
    if (key !== null && current === null) {
      await showGone(req, res);
      return;
    }
    const listed = async () => (key === null ? null : service.get(key.id));
    const actor = pages.user(req).login;
    const read = readQuery(req.body, current ?? NEW_QUERY);
    const { typed } = read;
    let decided: Decided | null = null;
    let values: QueryValues = read.query;
    const kept = (): string =>
      decided === null ? typedPassword(req).reference : service.keep(values, decided, actor);
    try {
      const problems = [
        ...read.problems,
        ...(read.problems.length === 0 ? await service.problems(values) : []),
      ];
      try {
        decided = await service.decide(typedPassword(req), values, current, actor);
        values = { ...values, remotePassword: decided.box };
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        problems.push(...error.problems);
      }
      const intent = oneText(req.body, 'intent');
      if (intent === 'look' && values.destination !== 'multidrop') problems.push(NOTHING_TO_SHARE);
      if (problems.length > 0) throw new UserError(problems);
      switch (intent) {
        case 'look':
        case 'test': {
          const form = { ...typed, reference: kept(), version: key?.version ?? 0 };
          const run = service[intent](key?.id ?? null, values, actor, form);
          if (run === null) throw new UserError({ key: 'fetchmail.problem.busy', values: {} });
          res.redirect(303, `${req.baseUrl}${FETCHMAIL_PATH}/${key?.id ?? 'new'}?run=${run}`);
          return;
        }
        case 'preview': {
          const { result } = await service.preview(key, values, actor);
          const preview = viewPreview(pages.translator(req), [], result);
          const shown = { key, typed, preview, reference: kept() };
          await show(req, res, { ...shown, listed: await listed() });
          return;
        }
        default: {
          const change = await service.save(key, values, actor);
          res.redirect(303, req.baseUrl + FETCHMAIL_PATH + savedQuery(change));
        }
      }
    } catch (error) {
      if (error instanceof NotFoundError) {
        await showGone(req, res);
        return;
      }
      const again = { key, typed, listed: await listed(), reference: kept() };
      if (error instanceof UserError) {
        await show(req, res, { ...again, status: 422, problems: error.problems });
      } else if (error instanceof ConflictError) {
        await showConflict(req, res, again, error);
      } else if (error instanceof HelperError) {
        const notices = [saveFailed(pages.translator(req), error.toFailure(), web.has)];
        await show(req, res, { ...again, status: 502, notices });
      } else {
        throw error;
      }
    }
  };

  const stillThere = (id: string) =>
    service.find(id).catch((error: unknown): null => {
      if (error instanceof NotFoundError) return null;
      throw error;
    });

  /** What was typed stays in the form of a new one, a typed password too. */
  const showGone = async (req: Request, res: Response): Promise<void> => {
    const { typed, query } = readQuery(req.body, NEW_QUERY);
    const password = typedPassword(req);
    const actor = pages.user(req).login;
    const reference = await service.decide(password, query, null, actor).then(
      (decided) => service.keep(query, decided, actor),
      () => password.reference,
    );
    const notices = [goneNotice(pages.translator(req))];
    await show(req, res, { key: null, typed, status: 409, notices, reference });
  };

  /** What was typed stays in the form; what somebody else saved stands above it. */
  const showConflict = async (
    req: Request,
    res: Response,
    again: Shown,
    error: ConflictError,
  ): Promise<void> => {
    const t = pages.translator(req);
    const { theirs, version } = error;
    const saved = { ...NEW_QUERY, ...theirs };
    const points = FORM_FIELDS.flatMap((field) => {
      const before = shownValue(toForm(saved), field);
      const mine = shownValue(again.typed, field);
      if (before === mine || field === 'remotePassword') return [];
      return [
        t('fetchmail.conflict.row', { field: t(`fetchmail.field.${field}`), theirs: before, mine }),
      ];
    });
    const notice: Notice = {
      ...{ kind: 'warn', role: 'alert', focus: true, points },
      title: conflictTitle(t, pages.formats(req), error),
      paragraphs: [t('fetchmail.conflict.text')],
    };
    const key = again.key === null ? null : { id: again.key.id, version };
    await show(req, res, { ...again, key, status: 409, notices: [notice] });
  };

  const busyNotice = (req: Request): readonly Notice[] => {
    if (oneText(req.query, 'busy') === '') return [];
    const t = pages.translator(req);
    const title = t('fetchmail.problem.busy');
    return [{ kind: 'warn', role: 'alert', title, paragraphs: [] }];
  };

  const show = async (req: Request, res: Response, shown: Shown): Promise<void> => {
    const t = pages.translator(req);
    const { key, typed, status = 200, problems = [], notices = [], listed = null } = shown;
    const listHref = req.baseUrl + FETCHMAIL_PATH;
    const action = `${listHref}/${key === null ? 'new' : key.id}`;
    const tab = key === null ? 'new' : 'fetchmail';
    const query = listed?.query ?? null;
    const running = shown.run?.running ?? false;
    const formats = pages.formats(req);
    const offered = await service.protocols();
    // What is chosen already stays to be seen, also when this fetchmail does not speak it any more.
    const protocols = PROTOCOLS.filter(
      (one) => offered.includes(one) || one === typed.values['protocol'],
    );
    const away =
      host.helper === null && !notices.some(({ kind }) => kind === 'bad')
        ? [helperAway(t, formats, noHelper().toFailure(), null, web.has)]
        : [];
    pages.page(req, res, fetchmailPage(web, req, 'edit', tab, status), {
      ...{ action, listHref, typed },
      notices: [...away, ...notices],
      isNew: key === null,
      version: key?.version ?? 0,
      name: query?.name ?? '',
      preview: shown.preview ?? null,
      reference: shown.reference ?? '',
      hasPassword: (query?.remotePassword ?? '') !== '',
      run: shown.run ?? null,
      refresh: running ? RELOAD_S : 0,
      readOnly: !pages.may(req, 'mail.admin'),
      canOperate: pages.may(req, 'mail.operate'),
      saving: { possible: host.helper !== null },
      state: query && {
        ...viewStatus(t, query, listed?.status ?? null),
        to: destinationText(t, query),
        enabled: query.enabled,
        shares: query.destination === 'multidrop',
        facts: statusFacts(t, formats, query, listed?.status ?? null),
        detail: listed?.status?.result.detail ?? '',
        dialogue: (listed?.status?.dialogue ?? []).join('\n'),
      },
      users: await usersFor(typed),
      moreOpen: FOLDED.some(
        (name) =>
          problems.some(({ field }) => field === name) ||
          shownValue(typed, name) !== shownValue(USUAL, name),
      ),
      protocols: protocols.map((value) => ({ value, label: protocolName(t, value) })),
      ports: portHints(t),
      form: viewForm({
        t,
        feature: 'fetchmail',
        fields: FORM_FIELDS,
        values: { ...typed.values, ...joined(typed.lists) },
        problems,
      }),
    });
  };

  const portHints = (t: ReturnType<typeof pages.translator>): string =>
    PROTOCOLS.filter(canEncrypt)
      .slice(0, 2)
      .map((protocol) => {
        const at = (ssl: 'tls' | 'none'): number =>
          effectivePort({ protocol, ssl, port: null }) ?? 0;
        const values = {
          protocol: protocolName(t, protocol),
          tls: String(at('tls')),
          plain: String(at('none')),
        };
        return t('fetchmail.hint.portOf', values);
      })
      .join(' ');

  /** Ticked people first, then the others. */
  const usersFor = async ({ lists }: TypedQuery): Promise<object> => {
    const chosen = lists['users'] ?? [];
    const people = (await host.directory.users()).filter(
      (user) => chosen.includes(user.login) || isPerson(user),
    );
    const logins = new Set(people.map(({ login }) => login));
    const ticked = people.filter(({ login }) => chosen.includes(login));
    const others = people.filter(({ login }) => !chosen.includes(login)).slice(0, SHOWN_USERS);
    return {
      list: [
        ...ticked.map(({ login, name }) => ({ login, name, checked: true })),
        ...others.map(({ login, name }) => ({ login, name, checked: false })),
      ],
      typed: chosen.filter((login) => !logins.has(login)).join(' '),
      left: Math.max(0, people.length - ticked.length - SHOWN_USERS),
    };
  };
}

function joined(lists: TypedQuery['lists']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(lists).map(([name, values]) => [
      name,
      values.map((value) => (name === 'localDomains' ? toUnicodeDomain(value) : value)).join('\n'),
    ]),
  );
}

function shownValue({ values, lists }: TypedQuery, field: string): string {
  return lists[field]?.join(', ') ?? values[field] ?? '';
}

/** Not through `readFields`: a password may begin with a blank. */
function typedPassword({ body }: Request): TypedPassword {
  return { text: oneText(body, 'remotePassword'), reference: oneText(body, 'passwordRef') };
}
