/** Signing in and out, and picking up a form that was on its way when the session ended. */
import { Router, type Request, type RequestHandler, type Response } from 'express';
import type { Log } from '../../contract.js';
import { originOf, type Csrf } from '../web/csrf.js';
import { text } from '../web/field.js';
import type { Frame } from '../web/frame.js';
import { HttpError } from '../web/http-error.js';
import { localPath } from '../web/local-path.js';
import type { HeldForms } from './held-form.js';
import type { KnownDevices } from './known-device.js';
import { signInLimits } from './limits.js';
import type { Refusal, SignIn } from './passport.js';

export interface SignInParts {
  readonly frame: Frame;
  readonly csrf: Csrf;
  readonly signIn: SignIn;
  readonly heldForms: HeldForms;
  readonly log: Log;
  readonly secret: Buffer;
  readonly devices: KnownDevices;
  readonly sessionCookie: string;
}

type Trouble = Refusal | 'empty' | 'stale' | 'tooMany';

export interface SignInPages {
  readonly router: Router;
  /** The answer for people who are not signed in: the page on which they can do it, and come back. */
  readonly ask: RequestHandler;
  /** Puts a held form in the place of the press on “Continue” that brought it back. */
  readonly resume: RequestHandler;
}

export function signInPages(parts: SignInParts): SignInPages {
  const { frame, csrf, signIn, heldForms, log, secret, devices, sessionCookie } = parts;

  const show = (
    req: Request,
    res: Response,
    page: {
      status?: number;
      trouble?: Trouble;
      minutes?: number;
      held?: string;
      next?: string;
      username?: string;
    },
  ): void => {
    const t = frame.translator(req);
    const { status = 200, trouble, minutes = 0, held = '', next = '', username = '' } = page;
    frame.page(
      req,
      res,
      { view: 'sign-in', title: t('console.signIn.title'), status, failed: trouble !== undefined },
      {
        trouble: trouble === undefined ? '' : t(`console.signIn.problem.${trouble}`, { minutes }),
        held,
        next,
        username,
      },
    );
  };

  const typed = (req: Request) => {
    const next = localPath(text(req.body, 'next'), '');
    return { username: text(req.body, 'username'), held: text(req.body, 'held'), next };
  };

  const ask = (req: Request, res: Response): void => {
    const part = req.get('HX-Request') === 'true';
    if (req.method === 'GET' || req.method === 'HEAD') {
      // A part that fetches itself anew leaves the page as it is: whoever is at it may be typing.
      if (part) res.status(401).end();
      else res.redirect(303, `/login?next=${encodeURIComponent(localPath(req.originalUrl, '/'))}`);
      return;
    }
    // Only what our own page sent is kept: no other site may leave a form here for somebody to send.
    const ours = originOf(req) === 'ours';
    const fields = (req.body ?? {}) as Record<string, unknown>;
    const held = ours ? heldForms.seal({ path: localPath(req.originalUrl, '/'), fields }) : null;
    show(req, res, { status: 401, held: held ?? '', next: '' });
  };

  const limits = signInLimits({
    secret,
    devices,
    tooMany: (req, res, minutes) =>
      show(req, res, { status: 429, trouble: 'tooMany', minutes, ...typed(req) }),
  });

  const router = Router();
  router.get('/login', (req, res) => {
    const next = localPath(req.query['next'], '');
    if (req.user === undefined) show(req, res, { next });
    else res.redirect(303, next === '' ? frame.home(req) : next);
  });

  /** A page that waited too long is shown again with all that was typed, not answered with an error. */
  const ownForm: RequestHandler = (req, res, next) => {
    const problem = csrf.problem(req);
    if (problem === 'token') show(req, res, { status: 403, trouble: 'stale', ...typed(req) });
    else next(problem === null ? undefined : new HttpError(403, problem));
  };

  router.post('/login', ownForm, ...limits, async (req, res) => {
    const { username, held, next } = typed(req);
    if (username === '' || text(req.body, 'password') === '') {
      show(req, res, { status: 422, trouble: 'empty', username, held, next });
      return;
    }
    const refusal = await signIn.attempt(req);
    if (refusal !== null) {
      log.warn({ login: username.slice(0, 64), address: req.ip, refusal }, 'sign-in refused');
      const status = refusal === 'unavailable' ? 503 : 401;
      show(req, res, { status, trouble: refusal, username, held, next });
      return;
    }
    const login = req.user?.login ?? '';
    devices.remember(req, res, login);
    log.info({ login, address: req.ip }, 'signed in');
    if (heldForms.open(held) !== null) {
      req.session.heldForm = held;
      res.redirect(303, '/login/resume');
    } else {
      res.redirect(303, next === '' ? frame.home(req) : next);
    }
  });

  router.get('/login/resume', (req, res) => {
    if (req.user === undefined) {
      ask(req, res);
      return;
    }
    const held = heldForms.open(req.session.heldForm);
    if (held === null) {
      res.redirect(303, frame.home(req));
      return;
    }
    const title = frame.translator(req)('console.resume.title');
    frame.page(req, res, { view: 'resume', title }, { action: held.path });
  });

  router.post('/logout', csrf.check, (req, res, next) => {
    req.session.destroy((error: unknown) => {
      if (error) {
        next(error);
        return;
      }
      res.clearCookie(sessionCookie, { path: '/' });
      // Only secure origins hear it; for the others there is `no-store` on every page.
      res.set('Clear-Site-Data', '"cache"');
      res.redirect(303, '/login');
    });
  });

  return {
    router,
    ask,
    resume(req, _res, next) {
      const body = req.body as Record<string, unknown> | undefined;
      if (req.method !== 'POST' || body?.['_held'] === undefined) {
        next();
        return;
      }
      const held = heldForms.open(req.session.heldForm);
      delete req.session.heldForm;
      if (held?.path !== req.originalUrl) {
        next(new HttpError(410, 'held'));
        return;
      }
      req.body = { ...held.fields, _csrf: csrf.token(req) };
      next();
    },
  };
}
