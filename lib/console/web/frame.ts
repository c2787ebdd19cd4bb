/** Pages of the console itself, and the frame (bar, menu) around every page, the plugin's included. */
import { join } from 'node:path';
import type { Request, Response } from 'express';
import nunjucks, { type Environment } from 'nunjucks';
import type { Brand } from '../../contract.js';
import type { Problem } from '../../errors.js';
import { createFormats, type Formats } from '../../formats.js';
import type { I18n, Translator } from '../../i18n.js';
import { PACKAGE_ROOT } from '../../package-root.js';
import type { Assets } from '../../web/assets.js';
import { NEVER_STORED } from '../../web/never-stored.js';
import { buildMenu, type MenuPlugin } from '../menu.js';
import { brandStyle } from './brand-style.js';
import type { Csrf } from './csrf.js';
import { directionOf, type Languages } from './language.js';

/** Where the console serves its own files. */
export const CONSOLE_MOUNT = '/console';
export const LAYOUT = 'layout.njk';

export interface PageOptions {
  readonly view: string;
  readonly title: string;
  /** The menu entry in view; empty for pages without one. */
  readonly menu?: string;
  readonly status?: number;
  /** Puts “Error:” before the title, which a screen reader reads first. */
  readonly failed?: boolean;
}

export interface Frame {
  readonly views: Environment;
  translator(req: Request): Translator;
  formats(req: Request): Formats;
  /** The first page this person may open. */
  home(req: Request): string;
  /** What is wrong with a form, in words: as a list for the summary, and by field. */
  problems(req: Request, problems: readonly Problem[]): FormProblems;
  /** What `layout.njk` needs. `current` is `<plugin id>/<entry>`, or an entry of the console's own. */
  context(req: Request, page: { current: string; title: string }): Record<string, unknown>;
  /** Answers with a page of the console. */
  page(req: Request, res: Response, options: PageOptions, context?: object): void;
}

export interface FormProblems {
  readonly problems: readonly { readonly field: string; readonly text: string }[];
  readonly errors: Readonly<Record<string, string>>;
}

export interface FrameParts {
  readonly brand: Brand;
  readonly i18n: I18n;
  /** The words of dates, which stand with the plugin's. */
  readonly formatWords: I18n;
  readonly languages: Languages;
  readonly csrf: Csrf;
  readonly plugins: readonly MenuPlugin[];
  /** The console's own files, and the plugin's, whose look the console's pages share. */
  readonly assets: Assets;
  readonly pluginAssets: Assets;
  readonly pluginMount: string;
  /** False where a reverse proxy signs people in and out. */
  readonly canSignOut: boolean;
}

export function createFrame(parts: FrameParts): Frame {
  const { brand, i18n, languages, csrf, plugins, assets, pluginAssets, pluginMount } = parts;
  const views = new nunjucks.Environment(
    new nunjucks.FileSystemLoader(join(PACKAGE_ROOT, 'lib/console/views')),
    { autoescape: true, trimBlocks: true, lstripBlocks: true },
  );
  const translator = (req: Request): Translator => i18n.translator(languages.of(req));

  const context = (
    req: Request,
    { current, title }: { current: string; title: string },
  ): Record<string, unknown> => {
    const t = translator(req);
    const account = req.user ?? null;
    const menu = account === null ? [] : buildMenu(plugins, t, account, current);
    const group = menu.find(({ entries }) => entries.some((entry) => entry.current));
    return {
      frame: {
        t,
        title,
        menu,
        language: t.language,
        direction: directionOf(t.language),
        languages: languages.offered,
        languageName: languages.offered.find(({ tag }) => tag === t.language)?.name ?? t.language,
        brand,
        branded: brandStyle(brand) !== '',
        person: account === null ? null : { login: account.login, name: account.name },
        csrf: csrf.token(req),
        canSignOut: parts.canSignOut,
        here: req.method === 'GET' ? req.originalUrl : '/',
        where: [group?.label, group?.entries.find((entry) => entry.current)?.label]
          .filter((word) => word !== undefined)
          .join(' / '),
        asset: (name: string) => CONSOLE_MOUNT + assets.address(name),
        pluginAsset: (name: string) => pluginMount + pluginAssets.address(name),
        pluginMount,
      },
    };
  };

  return {
    views,
    translator,
    context,
    home(req) {
      if (req.user === undefined) return '/login';
      const menu = buildMenu(plugins, translator(req), req.user, '');
      return menu[0]?.entries[0]?.href ?? '/account';
    },
    formats: (req) => createFormats(parts.formatWords.translator(languages.of(req))),
    problems(req, problems) {
      const t = translator(req);
      const worded = problems.map(({ key, values, field = '' }) => ({
        field,
        text: t(key, values),
      }));
      const byField = worded.filter(({ field }) => field !== '');
      return {
        problems: worded,
        errors: Object.fromEntries(byField.map(({ field, text }) => [field, text])),
      };
    },
    page(req, res, { view, title, menu = '', status = 200, failed = false }, own = {}) {
      const t = translator(req);
      const fullTitle = failed ? t('console.page.failed', { title }) : title;
      res
        .status(status)
        .set('Cache-Control', NEVER_STORED)
        .type('html')
        .send(
          views.render(`${view}.njk`, {
            ...context(req, { current: menu, title: fullTitle }),
            t,
            csrf: csrf.token(req),
            heading: title,
            notice: takeNotice(req, t),
            ...own,
          }),
        );
    },
  };
}

/** The sentence that the page before left for this one. */
function takeNotice(req: Request, t: Translator): string {
  const notice = req.session.notice;
  if (notice === undefined) return '';
  delete req.session.notice;
  return t(notice.key, notice.values);
}
