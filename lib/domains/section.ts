/** Local domains: `mydestination`, where foreign elements (`$myhostname`, tables) keep their place. */
import { splitList } from '../sections/elements.js';
import { expand } from '../sections/expand.js';
import type { Section, SystemView } from '../sections/section.js';
import { domainsSchema, isAsciiDomain, toUnicodeDomain, type DomainSettings } from './schema.js';

export const domainsSection: Section<DomainSettings> = {
  id: 'domains',
  schema: domainsSchema,
  owns: { parameters: [], lists: ['mydestination'], master: [], tables: [], files: [] },

  render(settings) {
    const values = settings.names.flatMap(bothForms);
    return { lists: { mydestination: values.map((value) => ({ slot: 'domains', value })) } };
  },

  read(system) {
    const names = system
      .parameter('mydestination')
      .split(/[\s,]+/)
      .filter((element) => isAsciiDomain(element) && element !== 'localhost');
    return { settings: { names: [...new Set(names)] }, unclear: [] };
  },

  refuses(before, after, system) {
    const present = splitList(system.parameter('mydestination'));
    const known = new Set([...(before?.names ?? []), ...present]);
    const taken = after.names.some((name) => !known.has(name) && isElsewhere(name, system));
    return taken ? { field: 'name', key: 'domains.problem.elsewhere' } : null;
  },
};

/** Other classes of domains that Postfix may know (ADDRESS_CLASS_README). It looks at `mydestination` first. */
const OTHER_CLASSES = [
  'virtual_mailbox_domains',
  'virtual_alias_domains',
  'relay_domains',
] as const;

/** Our own tables hold addresses, never whole domains. */
const OWN_TABLES = '/mailserver.d/';

/**
 * Whether mail to this very domain goes to mailboxes or servers that were set up by hand: made local, all of it would be
 * refused or delivered wrong without a word.
 */
function isElsewhere(name: string, system: SystemView): boolean {
  return OTHER_CLASSES.some((parameter) => {
    const value = system.parameter(parameter);
    // The default of `relay_domains` in older Postfix: the local domains themselves.
    if (/^\$\{?mydestination\}?$/.test(value)) return false;
    const listed = splitList(expand(value, system));
    if (listed.includes(name)) return true;
    const foreignTables = listed.some(
      (element) => /:/.test(element) && !element.includes(OWN_TABLES),
    );
    return foreignTables && (system.lookup?.(parameter, name) ?? null) !== null;
  });
}

/** With SMTPUTF8 a client may use either form, and Postfix compares text (SMTPUTF8_README). */
function bothForms(name: string): string[] {
  const unicode = toUnicodeDomain(name);
  return unicode === name ? [name] : [name, unicode];
}
