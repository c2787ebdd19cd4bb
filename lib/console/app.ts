/** The console from the outside in: what a request passes on its way to a page. */
import express, {
  type ErrorRequestHandler,
  type Express,
  type Request,
  type RequestHandler,
  type Router,
} from 'express';
import type { Assets } from '../web/assets.js';
import { formBody } from '../web/form-body.js';
import { MAX_HELD_BYTES } from './sign-in/held-form.js';
import { CONSOLE_MOUNT } from './web/frame.js';
import { notFound } from './web/problem-pages.js';
import { securityHeaders } from './web/headers.js';

/** Largest form, in bytes; a larger one is answered with 413. */
export const MAX_FORM_BYTES = 2 * 1024 * 1024;
/** Most fields of a form; one bulk action names at most this many rows. */
export const MAX_FORM_FIELDS = 10_000;

export interface AppParts {
  readonly behindProxy: boolean;
  readonly home: (req: Request) => string;
  readonly requestLog: RequestHandler;
  readonly assets: Assets;
  readonly brandStyle: string;
  readonly health: RequestHandler;
  readonly session: RequestHandler;
  readonly person: RequestHandler;
  readonly csrf: { readonly prepare: RequestHandler; readonly check: RequestHandler };
  /** Pages for people who are not signed in; they look at the token themselves. */
  readonly guestPages: readonly RequestHandler[];
  readonly signedIn: RequestHandler;
  readonly resume: RequestHandler;
  readonly pages: readonly RequestHandler[];
  readonly plugin: { readonly mount: string; readonly assets: Assets; readonly router: Router };
  readonly problems: ErrorRequestHandler;
}

export function createApp(parts: AppParts): Express {
  const { plugin } = parts;
  const app = express();
  app.disable('x-powered-by');
  // On a unix socket the only caller is the reverse proxy: what it adds last is true.
  app.set('trust proxy', parts.behindProxy ? 1 : false);
  app.set('query parser', 'simple');

  app.use(parts.requestLog);
  app.use(securityHeaders());
  app.use(CONSOLE_MOUNT, parts.assets.router);
  app.use(plugin.mount, plugin.assets.router);
  app.get(`${CONSOLE_MOUNT}/brand.css`, (_req, res) => {
    res.set('Cache-Control', 'no-cache').type('css').send(parts.brandStyle);
  });

  app.get('/health', parts.health);

  app.use(parts.session);
  app.use(parts.person);
  app.use(readForm());
  app.use(parts.csrf.prepare);

  for (const page of parts.guestPages) app.use(page);
  app.use(parts.signedIn);
  app.use(parts.csrf.check);
  app.use(parts.resume);

  app.get('/', (req, res) => res.redirect(303, parts.home(req)));
  for (const page of parts.pages) app.use(page);
  app.use(plugin.mount, plugin.router);

  app.use(notFound);
  app.use(parts.problems);
  return app;
}

/** A stranger's form is read no further than what can be held for them (see `sign-in/held-form.ts`), and no file of theirs. */
function readForm(): RequestHandler {
  const reader = (limit: number): RequestHandler =>
    express.urlencoded({ extended: false, limit, parameterLimit: MAX_FORM_FIELDS });
  const forPeople = reader(MAX_FORM_BYTES);
  const forStrangers = reader(MAX_HELD_BYTES);
  const withFiles = formBody();
  return (req, res, next) => {
    const files = req.user !== undefined && req.is('multipart/form-data') !== false;
    const read = files ? withFiles : req.user === undefined ? forStrangers : forPeople;
    return read(req, res, next);
  };
}
