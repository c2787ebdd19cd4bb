/** What the bundled console gives to a plugin. */
import type { Knex } from 'knex';
import type {
  Brand,
  Directory,
  HelperTransport,
  Host,
  HostCertificate,
  Log,
  Role,
} from '../contract.js';
import type { Csrf } from './web/csrf.js';
import { LAYOUT, type Frame } from './web/frame.js';
import type { Guards } from './web/guards.js';
import type { Languages } from './web/language.js';

export interface HostParts {
  readonly pluginId: string;
  readonly db: Knex;
  readonly log: Log;
  readonly frame: Frame;
  readonly helper: HelperTransport | null;
  readonly brand: Brand;
  readonly directory: Directory;
  readonly guards: Guards;
  readonly languages: Languages;
  readonly csrf: Csrf;
  proxy(): Promise<string | null>;
  certificates(): Promise<readonly HostCertificate[]>;
}

export function createHost(parts: HostParts): Host {
  const { pluginId, db, log, frame, helper, brand, directory, guards, languages, csrf } = parts;
  return {
    db,
    log,
    helper,
    brand,
    directory,
    views: frame.views,
    layout: LAYOUT,
    requireRole: (role) => guards.role(role),
    user(req) {
      const account = req.user;
      if (account === undefined) return null;
      const { id, login, email } = account;
      const roles = account.roles.filter((role): role is Role => role.startsWith('mail.'));
      return { id, login, email, roles, name: account.name === '' ? login : account.name };
    },
    language: (req) => languages.of(req),
    csrf: (req) => csrf.token(req),
    layoutContext: (req, { current, title }) =>
      frame.context(req, { current: `${pluginId}/${current}`, title }),
    proxy: () => parts.proxy(),
    certificates: () => parts.certificates(),
  };
}
