/** All sections, in the order in which they are rendered. Adding a feature adds a line here. */
import { aliasesSection } from '../aliases/section.js';
import { baseSection } from '../base/section.js';
import { domainsSection } from '../domains/section.js';
import { createRegistry } from './registry.js';

export const sections = createRegistry([baseSection, domainsSection, aliasesSection]);
