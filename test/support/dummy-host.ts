/**
 * A small host for tests of pages: everything a console gives, without sessions. Who asks stands in request headers:
 * `x-roles` (comma separated, all when absent, `none` for nobody), `x-language`.
 */
import express, { type Express, type Request, type RequestHandler } from 'express';
import type { Knex } from 'knex';
import nunjucks from 'nunjucks';
import type {
  Brand,
  Directory,
  DirectoryGroup,
  DirectoryUser,
  HelperTransport,
  Host,
  HostCertificate,
  Log,
  Plugin,
  Role,
  SignedInUser,
} from '../../lib/contract.js';
import { createPlugin } from '../../lib/plugin.js';
import { formBody } from '../../lib/web/form-body.js';
import { fakeDns, type FakeDns } from './fake-dns.js';

export const CSRF = 'the-token-of-this-session';

const ALL: readonly Role[] = ['mail.read', 'mail.operate', 'mail.admin'];

const LAYOUT = `<!doctype html>
<html lang="{{ language }}"><head><meta charset="utf-8"><title>{% block title %}{% endblock %} – {{ product }}</title>
{% block head %}{% endblock %}</head>
<body><nav aria-label="Console"><a href="/">{{ product }}</a></nav><main id="main" data-current="{{ current }}">{% block content %}{% endblock %}</main></body></html>`;

/** Keeps what was logged; an error in it fails the test that looks. */
export interface RecordingLog extends Log {
  readonly entries: { level: string; details: object; message: string }[];
  errors(): readonly object[];
}

export function recordingLog(): RecordingLog {
  const entries: RecordingLog['entries'] = [];
  const add =
    (level: string) =>
    (details: object, message: string): void => {
      entries.push({ level, details, message });
    };
  return {
    entries,
    debug: add('debug'),
    info: add('info'),
    warn: add('warn'),
    error: add('error'),
    errors: () => entries.filter((entry) => entry.level === 'error'),
  };
}

export interface DummyOptions {
  readonly db: Knex;
  readonly helper?: HelperTransport | null;
  readonly mount?: string;
  readonly brand?: Partial<Brand>;
  readonly users?: readonly DirectoryUser[];
  readonly groups?: readonly DirectoryGroup[];
  /** The system's own users, as given in `users`, when absent. */
  readonly directory?: Directory;
  readonly certificates?: readonly HostCertificate[];
  /** What the DNS says; nothing at all when absent. */
  readonly dns?: FakeDns;
  readonly recoverLimitMs?: number;
  /** How long the overview waits for its parts. */
  readonly patienceMs?: number;
  /** Where the appliance has its way to the internet. */
  readonly proxy?: string;
}

export interface DummyHost {
  readonly app: Express;
  readonly plugin: Plugin;
  readonly log: RecordingLog;
}

/** A handler that `requireRole` made, marked with its role so that a test can walk the routes. */
export interface GuardHandler extends RequestHandler {
  readonly role: Role;
}

export function createDummyHost(options: DummyOptions): DummyHost {
  const log = recordingLog();
  const views = new nunjucks.Environment(new LayoutLoader(), {
    autoescape: true,
    throwOnUndefined: true,
  });
  const brand: Brand = {
    product: 'Acme Server',
    vendor: 'Acme',
    support: 'help@acme.example',
    ...options.brand,
  };
  const host: Host = {
    db: options.db,
    log,
    views,
    layout: 'dummy-layout.njk',
    helper: options.helper ?? null,
    brand,
    directory: options.directory ?? {
      kind: 'nss',
      users: () => Promise.resolve(options.users ?? []),
      groups: () => Promise.resolve(options.groups ?? []),
      onChange: () => () => undefined,
    },
    requireRole,
    user,
    language: (req) => req.get('x-language') ?? 'en',
    csrf: () => CSRF,
    layoutContext: (req, page) => ({
      product: brand.product,
      language: req.get('x-language') ?? 'en',
      current: page.current,
    }),
    proxy: () => Promise.resolve(options.proxy ?? null),
    certificates: () => Promise.resolve(options.certificates ?? []),
  };
  const { dns = fakeDns({}), recoverLimitMs, patienceMs } = options;
  const plugin = createPlugin(host, {
    dns,
    ...(recoverLimitMs === undefined ? {} : { recoverLimitMs }),
    ...(patienceMs === undefined ? {} : { patienceMs }),
  });
  const app = express();
  app.disable('x-powered-by');
  app.use(express.urlencoded({ extended: false, limit: '3mb' }), formBody(), checkCsrf);
  app.use(options.mount ?? '/mail', plugin.router);
  return { app, plugin, log };
}

class LayoutLoader extends nunjucks.Loader implements nunjucks.ILoader {
  getSource(name: string): nunjucks.LoaderSource {
    const source = name === 'dummy-layout.njk' ? { src: LAYOUT, path: name, noCache: false } : null;
    return source as nunjucks.LoaderSource;
  }
}

function rolesOf(req: Request): readonly Role[] {
  const header = req.get('x-roles');
  return header === undefined ? ALL : ALL.filter((role) => header.split(',').includes(role));
}

function user(req: Request): SignedInUser {
  return {
    id: '1',
    login: req.get('x-login') ?? 'anna',
    name: 'Anna Berger',
    email: 'anna@acme.example',
    roles: rolesOf(req),
  };
}

function requireRole(role: Role): GuardHandler {
  const guard: RequestHandler = (req, res, next) => {
    if (rolesOf(req).includes(role)) next();
    else res.status(403).send('the host says no');
  };
  return Object.assign(guard, { role });
}

const checkCsrf: RequestHandler = (req, res, next) => {
  const token = (req.body as Record<string, unknown> | undefined)?.['_csrf'];
  if (req.method === 'GET' || req.method === 'HEAD' || token === CSRF) next();
  else res.status(403).send('the host misses its token');
};
