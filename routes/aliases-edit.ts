/** Adding an alias and changing one. */
import type { Request, Response, Router } from 'express';
import { displayAddress, kindOfName, parseAliasName, parseTarget } from '../lib/aliases/address.js';
import { MAX_NOTE_LENGTH, MAX_TARGETS } from '../lib/aliases/schema.js';
import { DoubtError, type AliasesService } from '../lib/aliases/service.js';
import type { AliasValues } from '../lib/aliases/store.js';
import type { RowKey } from '../lib/changes/rows.js';
import {
  ConflictError,
  HelperError,
  NotFoundError,
  UserError,
  type Problem,
} from '../lib/errors.js';
import { conflictTitle, goneNotice } from '../lib/web/conflict.js';
import { allTexts, oneText, quote, readFields } from '../lib/web/fields.js';
import { viewForm } from '../lib/web/form.js';
import { isPerson } from '../lib/person.js';
import { saveFailed } from '../lib/web/helper-notices.js';
import type { Notice } from '../lib/web/notice.js';
import { savedQuery } from '../lib/web/saved-notice.js';
import type { Web } from '../lib/web/web.js';
import {
  ALIASES_PATH,
  aliasesPage,
  standingOfAliases,
  viewHealth,
  routeHref,
} from './aliases-page.js';

/** People the form shows to choose from at once; the others are found by their name. */
const SHOWN_USERS = 60;

/** What stands in the form. */
interface Typed {
  readonly name: string;
  /** Ticked users. */
  readonly chosen: readonly string[];
  /** Typed addresses, as they were typed. */
  readonly others: string;
  readonly note: string;
  readonly enabled: boolean;
  /** What the list of users is narrowed to. */
  readonly find: string;
}

interface Shown {
  readonly key: RowKey | null;
  readonly typed: Typed;
  readonly status?: number;
  readonly problems?: readonly Problem[];
  readonly doubts?: readonly Problem[];
  readonly notices?: readonly Notice[];
  readonly state?: Record<string, string>;
}

export function aliasesEditRoutes(router: Router, web: Web, service: AliasesService): void {
  const { pages, host } = web;
  const admin = host.requireRole('mail.admin');

  router.get(`${ALIASES_PATH}/new`, admin, async (req, res) => {
    const name = oneText(req.query, 'name').slice(0, 320);
    const typed = { name, chosen: [], others: '', note: '', enabled: true, find: '' };
    await show(req, res, { key: null, typed });
  });

  router.post(`${ALIASES_PATH}/new`, admin, (req, res) => save(req, res, null));

  router.get(`${ALIASES_PATH}/:id`, host.requireRole('mail.read'), async (req, res) => {
    const alias = await service.get(String(req.params['id']));
    const { id, version, name, targets, note, enabled, health } = alias;
    const logins = new Set((await host.directory.users()).map(({ login }) => login));
    await show(req, res, {
      key: { id, version },
      state: viewHealth(pages.translator(req), health),
      typed: {
        ...{ note, enabled, find: '' },
        name: displayAddress(name),
        chosen: targets.filter((target) => logins.has(target)),
        others: targets
          .filter((target) => !logins.has(target))
          .map(displayAddress)
          .join('\n'),
      },
    });
  });

  router.post(`${ALIASES_PATH}/:id`, admin, (req, res) => {
    const version = Number(oneText(req.body, 'version'));
    const id = String(req.params['id']);
    return save(req, res, { id, version: Number.isInteger(version) ? version : 0 });
  });

  const save = async (req: Request, res: Response, key: RowKey | null): Promise<void> => {
    const typed = await readTyped(req);
    if (oneText(req.body, 'intent') === 'find') {
      await show(req, res, { key, typed });
      return;
    }
    try {
      const values = checked(req, typed);
      const sure = oneText(req.body, 'sure') === '1';
      const change = await service.save(key, values, sure, pages.user(req).login);
      res.redirect(303, req.baseUrl + ALIASES_PATH + savedQuery(change));
    } catch (error) {
      if (error instanceof UserError) {
        await show(req, res, { key, typed, status: 422, problems: error.problems });
      } else if (error instanceof DoubtError) {
        await show(req, res, { key, typed, status: 422, doubts: error.doubts });
      } else if (error instanceof ConflictError) {
        await showConflict(req, res, key, typed, error);
      } else if (error instanceof NotFoundError) {
        const notices = [goneNotice(pages.translator(req))];
        await show(req, res, { key: null, typed, status: 409, notices });
      } else if (error instanceof HelperError) {
        const notices = [saveFailed(pages.translator(req), error.toFailure(), web.has)];
        await show(req, res, { key, typed, status: 502, notices });
      } else {
        throw error;
      }
    }
  };

  /** What was typed stays in the form; what somebody else saved stands above it. */
  const showConflict = async (
    req: Request,
    res: Response,
    key: RowKey | null,
    typed: Typed,
    error: ConflictError,
  ): Promise<void> => {
    const t = pages.translator(req);
    const { theirs, version } = error;
    const name = typeof theirs['name'] === 'string' ? theirs['name'] : '';
    const targets = Array.isArray(theirs['targets']) ? (theirs['targets'] as string[]) : [];
    const note = typeof theirs['note'] === 'string' ? theirs['note'] : '';
    const notice: Notice = {
      ...{ kind: 'warn', role: 'alert', focus: true },
      title: conflictTitle(t, pages.formats(req), error),
      paragraphs: [
        t('aliases.conflict.theirs', {
          name: displayAddress(name),
          targets: targets.map(displayAddress).join(', '),
        }),
        ...(note === '' ? [] : [t('aliases.conflict.note', { note })]),
        ...(theirs['enabled'] === false ? [t('aliases.conflict.off')] : []),
        t('aliases.conflict.mine'),
      ],
    };
    const shownKey = key === null ? null : { id: key.id, version };
    await show(req, res, { key: shownKey, typed, status: 409, notices: [notice] });
  };

  const readTyped = async (req: Request): Promise<Typed> => {
    const { values } = readFields(req.body, ['name', 'note', 'find']);
    const logins = new Set((await host.directory.users()).map(({ login }) => login));
    const given = allTexts(req.body, 'targets');
    return {
      name: values['name'] ?? '',
      note: values['note'] ?? '',
      find: values['find'] ?? '',
      chosen: [...new Set(given.filter((text) => logins.has(text)))],
      others: given.filter((text) => !logins.has(text) && text.trim() !== '').join('\n'),
      enabled: oneText(req.body, 'enabled') === '1',
    };
  };

  /** Throws `UserError` with everything that is wrong. */
  const checked = (req: Request, typed: Typed): AliasValues => {
    const problems = [...readFields(req.body, ['name', 'note']).problems];
    const name = parseAliasName(typed.name);
    const shown = quote(typed.name);
    if (name === null) {
      const key = typed.name === '' ? 'aliases.problem.noName' : 'aliases.problem.name';
      problems.push({ key, values: { value: shown }, field: 'name' });
    }
    const words = typed.others.split(/[\s,;]+/).filter((word) => word !== '');
    const targets = new Set(typed.chosen.map((login) => parseTarget(login) ?? login));
    for (const word of words) {
      const target = parseTarget(word);
      const values = { value: quote(word) };
      if (target === null)
        problems.push({ key: 'aliases.problem.target', values, field: 'targets' });
      else targets.add(target);
    }
    if (targets.size === 0 && words.length === 0) {
      problems.push({ key: 'aliases.problem.noTarget', values: {}, field: 'targets' });
    }
    if (targets.size > MAX_TARGETS) {
      const values = { limit: MAX_TARGETS };
      problems.push({ key: 'aliases.problem.tooMany', values, field: 'targets' });
    }
    if (typed.note.length > MAX_NOTE_LENGTH) {
      const values = { limit: MAX_NOTE_LENGTH };
      problems.push({ key: 'aliases.problem.note', values, field: 'note' });
    }
    if (problems.length > 0 || name === null) throw new UserError(problems);
    return { name, targets: [...targets], note: typed.note, enabled: typed.enabled };
  };

  const show = async (req: Request, res: Response, shown: Shown): Promise<void> => {
    const t = pages.translator(req);
    const { key, typed, status = 200, problems = [], doubts = [], notices = [] } = shown;
    const action = `${req.baseUrl}${ALIASES_PATH}/${key === null ? 'new' : key.id}`;
    const hides = doubts.find((doubt) => doubt.key === 'aliases.doubt.hides');
    const name = parseAliasName(typed.name);
    pages.page(req, res, aliasesPage(web, req, 'edit', key === null ? 'new' : 'list', status), {
      notices: [...notices, ...(status === 502 ? [] : await standingOfAliases(web, req, service))],
      ...{ action, typed },
      listHref: req.baseUrl + ALIASES_PATH,
      version: key?.version ?? 0,
      isNew: key === null,
      catchAll: name !== null && kindOfName(name) === 'catchAll',
      state: shown.state ?? null,
      routeHref: name === null || kindOfName(name) === 'catchAll' ? '' : routeHref(req, name),
      users: await usersFor(typed),
      doubts: doubts.map((doubt) => t(doubt.key, doubt.values)),
      alsoMailbox: hides === undefined ? '' : String(hides.values['user']),
      readOnly: !pages.may(req, 'mail.admin'),
      form: viewForm({
        t,
        feature: 'aliases',
        fields: ['name', 'targets', 'note'],
        values: { name: typed.name, note: typed.note, targets: typed.others },
        problems,
      }),
    });
  };

  /** Ticked people first, then those the search finds. */
  const usersFor = async ({ chosen, find }: Typed): Promise<object> => {
    const people = (await host.directory.users()).filter(
      (user) => chosen.includes(user.login) || isPerson(user),
    );
    const wanted = find.toLowerCase();
    const matching = people.filter(
      ({ login, name }) =>
        !chosen.includes(login) &&
        (login.toLowerCase().includes(wanted) || name.toLowerCase().includes(wanted)),
    );
    const ticked = people.filter(({ login }) => chosen.includes(login));
    const list = [
      ...ticked.map(({ login, name }) => ({ login, name, checked: true })),
      ...matching.slice(0, SHOWN_USERS).map(({ login, name }) => ({ login, name, checked: false })),
    ];
    return { list, all: people.length, left: Math.max(0, matching.length - SHOWN_USERS) };
  };
}
