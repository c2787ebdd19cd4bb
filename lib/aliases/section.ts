/** Mail aliases: one lookup table, asked before every mailbox, where commands and file names mean nothing (virtual(5)). */
import { recipientsInTable } from '../recipients/section.js';
import { splitList } from '../sections/elements.js';
import type { Section, SectionContents, SystemView } from '../sections/section.js';
import { kindOfName, lookupForms, splitAddress } from './address.js';
import { homeDomain } from './home-domain.js';
import { ALIAS_TABLE, bareMap, exactMap, identityMap, isIdentityMap, isOurMap } from './maps.js';
import { aliasSettingsSchema, isAliasEntry, type AliasSettings } from './schema.js';

const LIST = 'virtual_alias_maps';
const DOMAINS = 'virtual_alias_domains';

/** The entries are aliases that are switched on: targets by name. They are rendered with the home domain. */
const contents: SectionContents = {
  accepts: isAliasEntry,
  context: homeDomain,
  render: (name, targets, home) => {
    const value = targets === null ? null : renderTargets(targets as readonly string[], home);
    const forms = lookupForms(name);
    if (forms.length === 1) return [{ table: ALIAS_TABLE, key: name, value }];
    return forms.map((key) => ({ table: ALIAS_TABLE, key, value }));
  },
  recipient: (name, home) => {
    const { local, domain } = splitAddress(name);
    const askable = kindOfName(name) !== 'catchAll' && /^[\x21-\x7e]+$/.test(name);
    return askable && home !== '' && (domain ?? home) === home ? `${local}@${home}` : null;
  },
};

export const aliasesSection: Section<AliasSettings> = {
  id: 'aliases',
  follows: ['recipients'],
  schema: aliasSettingsSchema,
  owns: {
    parameters: [DOMAINS],
    lists: [LIST],
    master: [],
    tables: [ALIAS_TABLE],
    files: [],
  },
  contents,

  render({ active, catchAll }, system, all) {
    if (!active) return { lists: { [LIST]: [] } };
    const directory = recipientsInTable(all) ? 'table' : 'nss';
    const identity = identityMap(system, directory, foreignMaps(system));
    return {
      parameters: { [DOMAINS]: explicitDomains(system) },
      lists: {
        [LIST]: [
          { slot: 'exact', value: exactMap(system) },
          ...(catchAll ? [{ slot: 'bare', value: bareMap(system) }] : []),
          ...(catchAll ? [{ slot: 'identity', value: identity }] : []),
        ],
      },
    };
  },

  read(system) {
    const elements = splitList(system.parameter(LIST));
    const settings = {
      active: elements.includes(exactMap(system)),
      catchAll: elements.some((element) => isIdentityMap(element, system)),
    };
    return { settings, unclear: [] };
  },
};

/** Throws a `RangeError` where no domain is local: the bare name would be sent to another machine. */
function renderTargets(targets: readonly string[], home: string): string {
  let text = '';
  for (const target of targets) {
    if (text !== '') text += ', ';
    text += target;
    if (target.includes('@')) continue;
    if (home === '') throw new RangeError('no local domain');
    text += `@${home}`;
  }
  return text;
}

/**
 * By default every key of the alias tables that looks like a domain is one, and takes all mail to it: an alias
 * `partner.example` would. So the default is written out, with the tables of others only.
 */
function explicitDomains(system: SystemView): string {
  return splitList(system.parameter(DOMAINS))
    .flatMap((element) =>
      /^\$(?:\{virtual_alias_maps\}|\(virtual_alias_maps\)|virtual_alias_maps)$/.test(element)
        ? foreignMaps(system)
        : [element],
    )
    .join(', ');
}

function foreignMaps(system: SystemView): readonly string[] {
  return splitList(system.parameter(LIST)).filter((element) => !isOurMap(element, system));
}
