/** The form of Policy: what is chosen in it, and the settings that means. */
import { toAsciiDomain, toUnicodeDomain } from '../domains/schema.js';
import type { Problem } from '../errors.js';
import type { FieldValues } from '../web/fields.js';
import type { SettingsForm } from '../web/settings-form.js';
import { OFFERED_LISTS } from './offered.js';
import {
  askedLists,
  MAX_BLOCK_LISTS,
  policySchema,
  type BlockList,
  type PolicySettings,
} from './schema.js';
import { POLICY_FIELDS, policyWords } from './words.js';

/** Empty rows below the lists that are there. */
const SPARE_ROWS = 2;
/** Shorter delays keep hardly anybody off, in seconds. */
const USEFUL_DELAY_SECONDS = 60;
const LONG_DELAY_SECONDS = 900;

const SWITCHES = ['greylisting', 'senderDomain', 'fullAddresses', 'helo'] as const;
const NUMBERS = [
  'greylistDelay',
  'greylistMemory',
  'greylistAutoAllow',
  'greylistIpv4Prefix',
  'greylistIpv6Prefix',
  'blockThreshold',
] as const;
const LIMITS = ['connections', 'connectionRate', 'messageRate', 'recipientRate'] as const;

/** Names of the fields of one row of the lists. */
export function listFields(row: number): { zone: string; weight: string; use: string } {
  return { zone: `list${row}Zone`, weight: `list${row}Weight`, use: `list${row}Use` };
}
const ROWS = Array.from({ length: MAX_BLOCK_LISTS }, (_, row) => row);

export const policyForm: SettingsForm<PolicySettings> = {
  feature: 'policy',
  fields: POLICY_FIELDS,
  aids: ROWS.flatMap((row) => Object.values(listFields(row))),
  schema: policySchema,
  words: policyWords,
  warnings: policyWarnings,

  toForm: (settings) => ({
    ...Object.fromEntries(SWITCHES.map((name) => [name, settings[name] ? 'yes' : 'no'])),
    ...Object.fromEntries(NUMBERS.map((name) => [name, String(settings[name])])),
    ...Object.fromEntries(LIMITS.map((name) => [name, String(settings[name] ?? '')])),
    spf: settings.spf,
    blockLists: listsText(settings.blockLists),
    ...listRows(settings.blockLists),
  }),

  fromForm: (typed, current) => ({
    ...current,
    ...pick(typed, SWITCHES, (text) => (text === 'yes' ? true : text === 'no' ? false : text)),
    ...pick(typed, NUMBERS, typedNumber),
    ...pick(typed, LIMITS, (text) => (text === '' ? null : typedNumber(text))),
    ...pick(typed, ['spf'], (text) => text),
    blockLists: typedLists(typed, current.blockLists),
  }),
};

function pick(
  typed: FieldValues,
  names: readonly string[],
  read: (text: string) => unknown,
): Record<string, unknown> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const text = typed[name];
      return text === undefined ? [] : [[name, read(text)] as const];
    }),
  );
}

function typedNumber(text: string): number | string {
  return /^\d{1,9}$/.test(text) ? Number(text) : text;
}

/** What is there, what is offered besides, and some empty rows. */
function listRows(lists: readonly BlockList[]): Record<string, string> {
  const offered = OFFERED_LISTS.filter(({ zone }) => !lists.some((one) => one.zone === zone));
  const shown = [...lists, ...offered].slice(0, MAX_BLOCK_LISTS);
  const rows = shown.length + SPARE_ROWS;
  return Object.fromEntries(
    ROWS.slice(0, rows).flatMap((row) => {
      const { zone, weight, use } = listFields(row);
      const list = shown[row];
      return [
        [zone, list ? toUnicodeDomain(list.zone) : ''],
        [weight, String(list?.weight ?? 1)],
        [use, list?.enabled ? 'yes' : 'no'],
      ] as const;
    }),
  );
}

/** The lists as one text, for the page that shows two versions of it. */
function listsText(lists: readonly BlockList[]): string {
  return lists
    .map(({ zone, weight, enabled }) => `${zone}:${weight}:${enabled ? 'on' : 'off'}`)
    .join(',');
}

/** From the rows where the form had them, else from the one text; else those there are. */
function typedLists(
  typed: FieldValues,
  current: readonly BlockList[],
): readonly Record<keyof BlockList, unknown>[] {
  const rows = ROWS.filter((row) => typed[listFields(row).zone] !== undefined);
  if (rows.length > 0) {
    return rows.map((row) => typedRow(typed, row)).filter((list) => isMeant(list, current));
  }
  const text = typed['blockLists'];
  if (text === undefined) return current;
  return text === '' ? [] : text.split(',').map(readText);
}

function typedRow(typed: FieldValues, row: number): Record<keyof BlockList, unknown> {
  const fields = listFields(row);
  const zone = typed[fields.zone] ?? '';
  return {
    zone: toAsciiDomain(zone) ?? zone,
    weight: typedNumber(typed[fields.weight] ?? ''),
    enabled: typed[fields.use] === 'yes',
  };
}

/** An empty row means nothing, nor does a list that is only offered. */
function isMeant(
  { zone, weight, enabled }: Record<keyof BlockList, unknown>,
  current: readonly BlockList[],
): boolean {
  if (zone === '') return false;
  const known = current.some((list) => list.zone === zone);
  const offered = OFFERED_LISTS.find((list) => list.zone === zone);
  return known || enabled !== false || offered?.weight !== weight;
}

function readText(text: string): Record<keyof BlockList, unknown> {
  const [zone = '', weight = '', use = ''] = text.split(':');
  return { zone, weight: typedNumber(weight), enabled: use === 'on' };
}

function policyWarnings(settings: PolicySettings): readonly Problem[] {
  const warnings: Problem[] = [];
  const { greylisting, greylistDelay, blockThreshold } = settings;
  if (greylisting && greylistDelay < USEFUL_DELAY_SECONDS) {
    warnings.push({ key: 'policy.warning.shortDelay', values: {}, field: 'greylistDelay' });
  }
  if (greylisting && greylistDelay > LONG_DELAY_SECONDS) {
    warnings.push({ key: 'policy.warning.longDelay', values: {}, field: 'greylistDelay' });
  }
  const asked = askedLists(settings);
  const sum = asked.reduce((total, { weight }) => total + weight, 0);
  if (asked.length > 0 && sum < blockThreshold) {
    const values = { sum, threshold: blockThreshold };
    warnings.push({ key: 'policy.warning.threshold', values, field: 'blockThreshold' });
  }
  return warnings;
}
