/**
 * One way to answer with a page: whole for a browser, only our part of it for htmx.
 *
 * A view sees only the context given here; the host's layout sees only what the host gave. The two meet in `_kit/shell`.
 */
import type { Request, Response } from 'express';
import type { Host, Role, SignedInUser } from '../contract.js';
import { createFormats, type Formats } from '../formats.js';
import type { I18n, Translator } from '../i18n.js';
import type { Manifest } from '../manifest.js';
import type { Assets } from './assets.js';
import { createIcons } from './icons.js';
import { NEVER_STORED } from './never-stored.js';
import { mayAct } from './roles.js';
import type { Views } from './views.js';

export interface PageInfo {
  /** Below `views/`, without extension. */
  readonly view: string;
  /** The words of the window's title, and of the heading when there is no other. */
  readonly title: string;
  readonly heading?: string;
  /** The menu entry in view, as in `plugin.json`, '' for none; its tabs are shown. */
  readonly menu: string;
  readonly tab?: string;
  readonly status?: number;
  /** Puts “Error:” before the title, which a screen reader reads first. */
  readonly failed?: boolean;
}

export interface Pages {
  translator(req: Request): Translator;
  formats(req: Request): Formats;
  /** The person; only behind `requireRole`. */
  user(req: Request): SignedInUser;
  may(req: Request, role: Role): boolean;
  /** Answers with a page, or with its part when htmx asks. */
  page(req: Request, res: Response, info: PageInfo, context?: object): void;
  /** Answers with a fragment that stands inside a page, for a part that fetches itself anew. */
  part(req: Request, res: Response, view: string, context?: object): void;
}

export interface PageParts {
  readonly host: Host;
  readonly i18n: I18n;
  readonly views: Views;
  readonly assets: Assets;
  readonly manifest: Manifest;
}

/** Whether htmx asks for a part; a restored history entry needs the whole page. */
export function wantsPart(req: Request): boolean {
  return req.get('HX-Request') === 'true' && req.get('HX-History-Restore-Request') !== 'true';
}

export function createPages({ host, i18n, views, assets, manifest }: PageParts): Pages {
  const translator = (req: Request): Translator => i18n.translator(host.language(req));
  const formats = (req: Request): Formats => createFormats(translator(req));
  const user = (req: Request): SignedInUser => {
    const person = host.user(req);
    if (person === null) throw new Error('the host let nobody pass requireRole');
    return person;
  };
  const may = (req: Request, role: Role): boolean => mayAct(user(req), role);

  /** What every view may use. */
  const common = (req: Request): Record<string, unknown> => ({
    t: translator(req),
    format: formats(req),
    icons: createIcons(),
    mount: req.baseUrl,
    asset: (name: string) => req.baseUrl + assets.address(name),
    csrf: host.csrf(req),
    brand: host.brand,
    canOperate: may(req, 'mail.operate'),
    canAdmin: may(req, 'mail.admin'),
  });

  const head = (res: Response): void => {
    res.vary('HX-Request');
    res.set({ 'Cache-Control': NEVER_STORED, 'Mail-Part': '1' });
  };

  const tabsOf = (req: Request, info: PageInfo): readonly object[] => {
    const t = translator(req);
    const entry = manifest.menu.find((candidate) => candidate.id === info.menu);
    return (entry?.tabs ?? [])
      .filter((tab) => may(req, tab.role))
      .map(({ id, label, path }) => ({
        label: t(label),
        href: req.baseUrl + path,
        current: id === info.tab,
      }));
  };

  /** Whoever may change something, and has a page before them, may be about to. The page comes first. */
  const expectSave = (req: Request, res: Response): void => {
    if (may(req, 'mail.admin')) res.once('finish', () => host.helper?.expect?.('apply'));
  };

  return {
    translator,
    formats,
    user,
    may,
    page(req, res, info, context = {}) {
      const t = translator(req);
      const part = wantsPart(req);
      const title = info.failed === true ? t('page.failed', { title: info.title }) : info.title;
      const own = {
        ...common(req),
        ...context,
        title,
        heading: info.heading ?? info.title,
        tabs: tabsOf(req, info),
        part,
      };
      const content = views.render(info.view, own).trimStart();
      head(res);
      expectSave(req, res);
      res.status(info.status ?? 200).type('html');
      if (part) {
        res.send(content);
        return;
      }
      const shell = {
        ...host.layoutContext(req, { current: info.menu, title }),
        mailShell: {
          layout: host.layout,
          title,
          head: views.markup(views.render('_kit/_head', own)),
          content: views.markup(content),
        },
      };
      res.send(views.render('_kit/shell', shell));
    },
    part(req, res, view, context = {}) {
      const content = views.render(view, { ...common(req), ...context, part: true });
      head(res);
      res.type('html').send(content);
    },
  };
}
