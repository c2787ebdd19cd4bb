/** Local domains: `mydestination`, where foreign elements (`$myhostname`, tables) keep their place. */
import type { Section } from '../sections/section.js';
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
};

/** With SMTPUTF8 a client may use either form, and Postfix compares text (SMTPUTF8_README). */
function bothForms(name: string): string[] {
  const unicode = toUnicodeDomain(name);
  return unicode === name ? [name] : [name, unicode];
}
