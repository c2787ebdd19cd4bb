import {
  createSettingsService,
  type SettingsParts,
  type SettingsService,
} from '../settings/service.js';
import { baseSchema, type BaseSettings } from './schema.js';
import { baseTitle } from './words.js';

export type BaseService = SettingsService<BaseSettings>;

/** Postfix' own defaults, shown while nothing else is known. */
const FALLBACK: BaseSettings = {
  mailServerName: '',
  maxMessageSizeMb: 10,
  delivery: 'system',
  mailboxFormat: 'mbox',
  lmtpHost: '127.0.0.1',
  lmtpPort: 2003,
  unknownRecipient: 'refuse',
};

export function createBaseService(
  parts: Pick<SettingsParts<BaseSettings>, 'db' | 'changes' | 'machine'>,
): BaseService {
  return createSettingsService({
    ...parts,
    section: 'base',
    fallback: FALLBACK,
    schema: baseSchema,
    title: baseTitle,
  });
}
