/**
 * The form of Base configuration: what is typed into it, and the settings that means.
 */
import { isIP } from 'node:net';
import { toAsciiDomain, toUnicodeDomain } from '../domains/schema.js';
import type { Problem } from '../errors.js';
import type { FieldValues } from '../web/fields.js';
import type { SettingsForm } from '../web/settings-form.js';
import { baseSchema, BYTES_PER_MB, LMTP_PRESETS, type BaseSettings } from './schema.js';
import { BASE_FIELDS, baseWords } from './words.js';

const WHOLE_NUMBER = /^\d{1,9}$/;
/** Decimals of a size in MB that people read; a size set by hand may have more. */
const SHOWN_DECIMALS = 2;
const SIZE = /^\d{1,6}(?:[.,]\d{1,7})?$/;
const LOOPBACK = /^(?:localhost|127\..*|::1)$/;

export const baseForm: SettingsForm<BaseSettings> = {
  feature: 'base',
  fields: BASE_FIELDS,
  aids: ['lmtpPreset'],
  schema: baseSchema,
  words: baseWords,
  warnings: baseWarnings,

  toForm: (settings) => ({
    mailServerName: toUnicodeDomain(settings.mailServerName),
    maxMessageSizeMb: sizeText(settings.maxMessageSizeMb),
    delivery: settings.delivery,
    mailboxFormat: settings.mailboxFormat,
    lmtpHost: toUnicodeDomain(settings.lmtpHost),
    lmtpPort: String(settings.lmtpPort),
    unknownRecipient: settings.unknownRecipient,
    lmtpPreset: '',
  }),

  fromForm: (typed, current) => ({
    ...current,
    ...typedChoices(typed),
    ...(typed['mailServerName'] === undefined
      ? {}
      : { mailServerName: typedDomain(typed['mailServerName']) }),
    ...(typed['maxMessageSizeMb'] === undefined
      ? {}
      : { maxMessageSizeMb: typedSize(typed['maxMessageSizeMb'], current.maxMessageSizeMb) }),
    ...typedServer(typed, current),
  }),
};

function typedChoices(typed: FieldValues): FieldValues {
  const choices = ['delivery', 'mailboxFormat', 'unknownRecipient'];
  return Object.fromEntries(Object.entries(typed).filter(([name]) => choices.includes(name)));
}

/** A-labels when it is a name; else as it was typed, for the schema to refuse. */
function typedDomain(text: string): string {
  return toAsciiDomain(text) ?? text;
}

/** A size that stands in the form as it was shown is the one there is, to the byte. */
function typedSize(text: string, current: number | null): number | string | null {
  if (text === '') return null;
  const size = sizeOf(text);
  if (size === null) return text;
  return current !== null && size === sizeOf(sizeText(current)) ? current : size;
}

/** MB with a decimal point, as people read it: 10,240,000 bytes are 9.77. */
function sizeText(size: number | null): string {
  return size === null ? '' : String(Number(size.toFixed(SHOWN_DECIMALS)));
}

/** A typed size in MB, with point or comma; null when it is no number. */
export function sizeOf(text: string): number | null {
  if (!SIZE.test(text)) return null;
  return Math.round(Number(text.replace(',', '.')) * BYTES_PER_MB) / BYTES_PER_MB;
}

function typedNumber(text: string): number | string {
  return WHOLE_NUMBER.test(text) ? Number(text) : text;
}

/**
 * Host and port: as typed; from the preset where nothing of one's own was typed; as they are where the field is empty
 * and they are not needed.
 */
function typedServer(
  typed: FieldValues,
  current: BaseSettings,
): { lmtpHost: unknown; lmtpPort: unknown } {
  const name = typed['lmtpPreset'] ?? '';
  const preset = Object.hasOwn(LMTP_PRESETS, name) ? LMTP_PRESETS[name] : undefined;
  const needed = (typed['delivery'] ?? current.delivery) === 'lmtp';
  const choose = (field: string, present: string, offered: string | undefined): string => {
    const text = typed[field] ?? present;
    if (offered !== undefined && (text === '' || text === present)) return offered;
    return text === '' && !needed ? present : text;
  };
  const host = choose('lmtpHost', toUnicodeDomain(current.lmtpHost), preset?.host);
  const port = choose('lmtpPort', String(current.lmtpPort), preset && String(preset.port));
  return { lmtpHost: typedHost(host), lmtpPort: typedNumber(port) };
}

function typedHost(text: string): string {
  const bare = /^\[(.*)\]$/.exec(text)?.[1] ?? text;
  return isIP(bare) === 0 ? typedDomain(text) : bare;
}

function baseWarnings(settings: BaseSettings): readonly Problem[] {
  const { mailServerName: name, lmtpHost } = settings;
  const warnings: Problem[] = [];
  if (name !== '' && !name.includes('.')) {
    const key = 'base.warning.noDot';
    warnings.push({ key, values: { value: toUnicodeDomain(name) }, field: 'mailServerName' });
  }
  if (settings.maxMessageSizeMb === null) {
    warnings.push({ key: 'base.warning.unlimited', values: {}, field: 'maxMessageSizeMb' });
  }
  if (settings.delivery === 'lmtp' && !LOOPBACK.test(lmtpHost)) {
    const key = 'base.warning.remoteServer';
    warnings.push({ key, values: { host: lmtpHost }, field: 'lmtpHost' });
  }
  return warnings;
}
