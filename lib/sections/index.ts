/** All sections, in the order in which they are rendered. Adding a feature adds a line here. */
import { aliasesSection } from '../aliases/section.js';
import { baseSection } from '../base/section.js';
import { domainsSection } from '../domains/section.js';
import { exceptionsSection } from '../exceptions/section.js';
import { fetchmailSection } from '../fetchmail/section.js';
import { policySection } from '../policy/section.js';
import { recipientsSection } from '../recipients/section.js';
import { relaySection } from '../relay-subnets/section.js';
import { securitySection } from '../security/section.js';
import { smarthostSection } from '../smarthost/section.js';
import { tlsSection } from '../tls/section.js';
import { createRegistry } from './registry.js';

export const sections = createRegistry([
  baseSection,
  domainsSection,
  recipientsSection,
  aliasesSection,
  tlsSection,
  smarthostSection,
  relaySection,
  fetchmailSection,
  policySection,
  exceptionsSection,
  securitySection,
]);
