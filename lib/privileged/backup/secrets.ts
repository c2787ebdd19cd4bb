/** The secrets in a backup's sections: opened for the locked file, and sealed again for the machine that restores it. */
import { isDeepStrictEqual } from 'node:util';
import type { BackupFile } from '../../backup/file.js';
import type { QueryValues } from '../../fetchmail/schema.js';
import {
  bindingOf as bindingOfQuery,
  openPassword as openFetchPassword,
  passwordName,
} from '../../fetchmail/security.js';
import { bindingOf, openPassword } from '../../smarthost/binding.js';
import type { SmarthostSettings } from '../../smarthost/schema.js';
import type { Secrets } from '../secrets.js';

/** How one section holds its secrets. One entry for each section that has any. */
interface SecretsOfSection {
  open(settings: unknown, secrets: Secrets): Readonly<Record<string, string>>;
  seal(settings: unknown, found: Readonly<Record<string, string>>, secrets: Secrets): unknown;
  strip(settings: unknown): unknown;
}

const SMARTHOST_PASSWORD = 'smarthost/password';

type Queries = { readonly queries: readonly QueryValues[] };

const SECTIONS: Readonly<Record<string, SecretsOfSection>> = {
  smarthost: {
    open: (settings, secrets) => {
      const smarthost = settings as SmarthostSettings;
      if (smarthost.password === '') return {};
      return { [SMARTHOST_PASSWORD]: openPassword(smarthost, secrets.open) };
    },
    seal: (settings, found, secrets) => {
      const smarthost = settings as SmarthostSettings;
      const password = found[SMARTHOST_PASSWORD];
      if (smarthost.username === '' || password === undefined) return smarthost;
      return { ...smarthost, password: secrets.seal(password, bindingOf(smarthost)) };
    },
    strip: (settings) => ({ ...(settings as SmarthostSettings), password: '' }),
  },
  fetchmail: {
    open: (settings, { open }) =>
      Object.fromEntries(
        (settings as Queries).queries
          .filter(({ remotePassword }) => remotePassword !== '')
          .map((query) => [passwordName(query), openFetchPassword(query, open)]),
      ),
    seal: (settings, found, { seal }) => ({
      queries: (settings as Queries).queries.map((query) => {
        const password = found[passwordName(query)];
        if (password === undefined) return query;
        return { ...query, remotePassword: seal(password, bindingOfQuery(query)) };
      }),
    }),
    strip: (settings) => ({
      queries: (settings as Queries).queries.map((query) => ({ ...query, remotePassword: '' })),
    }),
  },
};

type Sections = BackupFile['sections'];

/** Throws a `RangeError` when a box was sealed for another machine. */
export function openSecrets(sections: Sections, secrets: Secrets): Record<string, string> {
  const found = Object.entries(sections).map(([id, settings]) =>
    SECTIONS[id]?.open(settings, secrets),
  );
  return Object.assign({}, ...found) as Record<string, string>;
}

export function stripSecrets(sections: Sections): Sections {
  return mapSections(sections, (part, settings) => part.strip(settings));
}

/** What is there already and says the same keeps its box, so that restoring twice is restoring once. */
export function sealSecrets(
  sections: Sections,
  found: Readonly<Record<string, string>>,
  present: Sections,
  secrets: Secrets,
): Sections {
  return mapSections(sections, (part, settings, id) => {
    const there = present[id];
    const same =
      there !== undefined &&
      isDeepStrictEqual(part.strip(there), part.strip(settings)) &&
      Object.entries(part.open(there, secrets)).every(([name, one]) => found[name] === one);
    return same ? there : part.seal(settings, found, secrets);
  });
}

function mapSections(
  sections: Sections,
  change: (part: SecretsOfSection, settings: unknown, id: string) => unknown,
): Sections {
  return Object.fromEntries(
    Object.entries(sections).map(([id, settings]) => {
      const part = SECTIONS[id];
      return [id, part ? change(part, settings, id) : settings];
    }),
  );
}
