/** Puts the console together: database → services → pages, with the plugin on top. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Express, RequestHandler } from 'express';
import session from 'express-session';
import type { Knex } from 'knex';
import type { Logger } from 'pino';
import type {
  Brand,
  Directory,
  HelperTransport,
  Host,
  HostCertificate,
  Plugin,
} from '../contract.js';
import { runMigrations } from '../database/migrate.js';
import { createI18n } from '../i18n.js';
import { readManifest } from '../manifest.js';
import { PACKAGE_ROOT } from '../package-root.js';
import { createAssets } from '../web/assets.js';
import { ownAccountRoutes } from './accounts/own-routes.js';
import { accountRoutes } from './accounts/routes.js';
import { createAccountService } from './accounts/service.js';
import { createAccountStore } from './accounts/store.js';
import { createApp } from './app.js';
import { createHost } from './host.js';
import { consoleSchema } from './migrations/index.js';
import { SessionStore } from './sessions/store.js';
import { createNetworkStore } from './network/store.js';
import { networkRoutes } from './network/routes.js';
import { createKnownDevices } from './sign-in/known-device.js';
import { createHeldForms } from './sign-in/held-form.js';
import { createSignIn } from './sign-in/passport.js';
import { signInPages } from './sign-in/routes.js';
import type { SystemPasswords } from './sign-in/saslauthd.js';
import { strangerPage, trustedHeader } from './sign-in/trusted-header.js';
import { brandStyle } from './web/brand-style.js';
import { createCsrf } from './web/csrf.js';
import { createFrame } from './web/frame.js';
import { createGuards } from './web/guards.js';
import { healthPage } from './web/health.js';
import { createLanguages } from './web/language.js';
import { languageRoutes } from './web/language-routes.js';
import { requestLog } from './web/request-log.js';
import { problemPages } from './web/problem-pages.js';

export interface ConsoleParts {
  readonly db: Knex;
  readonly log: Logger;
  /** Signs cookies and seals held forms; 32 bytes that stay the same over restarts. */
  readonly secret: Buffer;
  readonly brand: Brand;
  readonly helper: HelperTransport | null;
  readonly directory: Directory;
  readonly systemPasswords: SystemPasswords;
  /** See `Environment.trustedUserHeader`. */
  readonly trustedUserHeader: string | null;
  /** True on a unix socket: forwarded addresses and schemes are believed. */
  readonly behindProxy: boolean;
  certificates(): Promise<readonly HostCertificate[]>;
  createPlugin(host: Host): Plugin;
}

export interface Console {
  readonly app: Express;
  readonly plugin: Plugin;
  readonly accounts: ReturnType<typeof createAccountService>;
  /** Brings the console's and the plugin's tables up to date; call once before serving. */
  start(): Promise<void>;
  close(): Promise<void>;
}

export function createConsole(parts: ConsoleParts): Console {
  const { db, log, secret, brand } = parts;
  const manifest = readManifest();
  const complain = (problem: string): void => log.error({ problem }, 'a text is missing');
  const words = { product: brand.product, onProblem: complain };
  const i18n = createI18n(join(PACKAGE_ROOT, 'lib/console/locales'), words);
  const pluginI18n = createI18n(join(PACKAGE_ROOT, manifest.locales), words);

  // Browsers share cookies between the ports of a host: two consoles on one machine must not take each other's.
  const instance = createHash('sha256').update(secret).update('cookie').digest('hex').slice(0, 8);
  const sessionCookie = `console-${instance}`;
  const sessions = new SessionStore(db);

  const accounts = createAccountService({
    db,
    store: createAccountStore(db),
    systemPasswords: parts.systemPasswords,
    endSessions: (id, trx, except) => sessions.endAll(id, trx, except),
  });
  const network = createNetworkStore(db);
  const signIn = createSignIn(accounts);
  const csrf = createCsrf(secret, `console-guest-${instance}`);
  const languages = createLanguages(i18n);
  const assets = createAssets(join(PACKAGE_ROOT, 'lib/console/public'));
  const pluginAssets = createAssets(join(PACKAGE_ROOT, 'public'));
  const frame = createFrame({
    brand,
    i18n,
    languages,
    csrf,
    assets,
    formatWords: pluginI18n,
    pluginAssets,
    pluginMount: manifest.mount,
    plugins: [{ manifest, i18n: pluginI18n }],
    canSignOut: parts.trustedUserHeader === null,
  });
  const heldForms = createHeldForms(secret);
  const signInRoutes = signInPages({
    frame,
    csrf,
    signIn,
    heldForms,
    log,
    secret,
    sessionCookie,
    devices: createKnownDevices(secret, `console-known-${instance}`),
  });
  const trusted = parts.trustedUserHeader;
  const guards = createGuards(trusted === null ? signInRoutes.ask : strangerPage);

  const plugin = parts.createPlugin(
    createHost({
      pluginId: manifest.id,
      db,
      log,
      frame,
      brand,
      guards,
      languages,
      csrf,
      helper: parts.helper,
      directory: parts.directory,
      proxy: async () => (await network.read()).settings.proxy || null,
      certificates: () => parts.certificates(),
    }),
  );

  const app = createApp({
    home: (req) => frame.home(req),
    assets,
    csrf,
    behindProxy: parts.behindProxy,
    requestLog: requestLog(log),
    brandStyle: brandStyle(brand),
    health: healthPage({ health: () => plugin.health(), log }),
    session: session({
      store: sessions,
      secret: secret.toString('hex'),
      name: sessionCookie,
      resave: false,
      saveUninitialized: false,
      cookie: { httpOnly: true, sameSite: 'lax', secure: 'auto', path: '/' },
    }),
    person:
      trusted === null
        ? (signIn.passport.session() as RequestHandler)
        : trustedHeader(trusted, accounts),
    guestPages: [
      languageRoutes(languages, csrf),
      ...(trusted === null ? [signInRoutes.router] : []),
    ],
    signedIn: guards.signedIn,
    resume: signInRoutes.resume,
    pages: [
      accountRoutes({ frame, accounts, guards, systemPasswords: parts.systemPasswords }),
      ownAccountRoutes(frame, accounts),
      networkRoutes(frame, network, guards),
    ],
    plugin: { mount: manifest.mount, assets: pluginAssets, router: plugin.router },
    problems: problemPages(frame, brand, log),
  });

  return {
    app,
    plugin,
    accounts,
    async start() {
      await runMigrations(db, consoleSchema);
      await plugin.start();
    },
    close: () => plugin.close(),
  };
}
