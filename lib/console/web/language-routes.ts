import { Router } from 'express';
import type { Csrf } from './csrf.js';
import type { Languages } from './language.js';
import { localPath } from './local-path.js';

/** The switch in the bar; for guests too, so that the sign-in page can be read. */
export function languageRoutes(languages: Languages, csrf: Csrf): Router {
  const router = Router();
  router.post('/language', csrf.check, (req, res) => {
    const body = req.body as { language?: unknown; back?: unknown };
    languages.choose(req, res, body.language);
    res.redirect(303, localPath(body.back, '/'));
  });
  return router;
}
