// What this console gives to the plugin; lib/contract.ts says what each part means.
import { createRequire } from 'node:module';
import { readCertificates } from 'mailserver-plugin/certificates';
import { tokenOf } from './token.mjs';

const read = createRequire(import.meta.url);
const manifest = read('mailserver-plugin/plugin.json');

/** The console's own roles, and what each may do with the mail. */
const ROLES = {
  guest: [],
  auditor: ['mail.read'],
  operator: ['mail.read', 'mail.operate'],
  administrator: ['mail.read', 'mail.operate', 'mail.admin'],
};

const LANGUAGES = ['en', 'de'];
/** The texts of the plugin: labels of its menu among them. */
const TEXTS = new Map(
  LANGUAGES.map((name) => [name, read(`mailserver-plugin/locales/${name}.json`)]),
);
/** Where certificates lie that the privileged helper can use. */
const CERTIFICATES = '/etc/mailserver/certificates';

export function createHost({ db, log, people, helper, views }) {
  const brand = {
    product: 'Acme Server',
    vendor: 'Acme',
    support: 'help@acme.example',
    color: '#7a3b0e',
  };
  const language = (req) => req.acceptsLanguages(LANGUAGES) || 'en';
  const rolesOf = (req) => ROLES[req.person?.role ?? 'guest'] ?? [];

  return {
    db,
    log,
    helper,
    brand,
    views,
    layout: 'layout.njk',
    directory: people.directory,

    // Closed by default: who is not signed in is asked to, who lacks the role is refused.
    requireRole: (role) => (req, res, next) => {
      if (req.person === null) res.redirect(303, '/sign-in');
      else if (rolesOf(req).includes(role)) next();
      else res.status(403).send('You may not do this.');
    },
    user: (req) =>
      req.person && {
        id: req.person.id,
        login: req.person.login,
        name: req.person.name,
        email: req.person.addresses[0] ?? null,
        roles: rolesOf(req),
      },
    language,
    csrf: tokenOf,

    // What layout.njk shows around every page: `current` is the entry of the menu in view.
    layoutContext: (req, { current, title }) => ({
      ...{ brand, title, language: language(req), person: req.person },
      menu: manifest.menu
        .filter(({ role }) => rolesOf(req).includes(role))
        .toSorted((one, other) => one.order - other.order)
        .map(({ id, label, path }) => ({
          label: TEXTS.get(language(req))[label],
          href: manifest.mount + path,
          current: id === current,
        })),
    }),

    // The HTTP proxy of the appliance, for updates of signatures; null without one.
    proxy: async () => process.env.HTTP_PROXY ?? null,
    certificates: () => readCertificates(CERTIFICATES),
  };
}
