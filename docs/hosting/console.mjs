// A small console of somebody else, with the Mailserver pages mounted at /mail.
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import express from 'express';
import session from 'express-session';
import helmet from 'helmet';
import nunjucks from 'nunjucks';
import { createPlugin } from 'mailserver-plugin';
import { formBody } from 'mailserver-plugin/form-body';
import { createHost } from './host.mjs';
import { checkToken, tokenOf } from './token.mjs';

/** What a console may know of the plugin before any of its code runs: mount, menu, roles. */
const manifest = createRequire(import.meta.url)('mailserver-plugin/plugin.json');

export function createConsole({ db, log, people, helper }) {
  // Autoescape is what keeps mail and names from becoming markup: the plugin refuses an environment without it.
  const loader = new nunjucks.FileSystemLoader(fileURLToPath(new URL('views', import.meta.url)));
  const views = new nunjucks.Environment(loader, { autoescape: true, throwOnUndefined: true });
  const host = createHost({ db, log, people, helper, views });
  const plugin = createPlugin(host);

  const app = express();
  app.use(helmet({ contentSecurityPolicy, strictTransportSecurity: false }));
  app.use(
    session({
      secret: randomBytes(32).toString('hex'),
      resave: false,
      saveUninitialized: false,
      cookie: { httpOnly: true, sameSite: 'lax', secure: 'auto' },
    }),
  );
  app.use(async (req, _res, next) => {
    req.person = await people.find(req.session.person);
    next();
  });
  // Forms, those with files included. The token is checked before anything changes, for the plugin's pages too.
  app.use(formBody(), checkToken);

  app.get('/sign-in', (req, res) => {
    res.send(views.render('sign-in.njk', { token: tokenOf(req), brand: host.brand }));
  });
  app.post('/sign-in', async (req, res) => {
    const person = await people.signIn(String(req.body.login), String(req.body.password));
    if (person === null) return res.redirect(303, '/sign-in');
    return req.session.regenerate(() => {
      req.session.person = person.id;
      res.redirect(303, manifest.mount);
    });
  });
  app.get('/', (_req, res) => res.redirect(303, manifest.mount));

  // For other parts of the appliance, and for whatever watches it.
  app.get('/facts', host.requireRole('mail.read'), async (_req, res) => {
    res.json({ ...(await plugin.facts()), health: await plugin.health() });
  });

  app.use(manifest.mount, plugin.router);
  return { app, plugin };
}

/** The pages need no inline script, no inline style and nothing from elsewhere. */
const contentSecurityPolicy = {
  useDefaults: false,
  directives: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'"],
    imgSrc: ["'self'"],
    connectSrc: ["'self'"],
    formAction: ["'self'"],
    baseUri: ["'none'"],
    frameAncestors: ["'none'"],
  },
};
