/** The settings of the section Policy in words: keys and values, for previews, conflicts and the history. */
import { isDeepStrictEqual } from 'node:util';
import { toUnicodeDomain } from '../domains/schema.js';
import { asItIs, type Words } from '../words.js';
import { askedLists, type PolicySettings } from './schema.js';

/** The settings in the order of the form. */
export const POLICY_FIELDS = [
  'greylisting',
  'greylistDelay',
  'greylistMemory',
  'greylistAutoAllow',
  'greylistIpv4Prefix',
  'greylistIpv6Prefix',
  'spf',
  'blockLists',
  'blockThreshold',
  'senderDomain',
  'fullAddresses',
  'helo',
  'connections',
  'connectionRate',
  'messageRate',
  'recipientRate',
] as const satisfies readonly (keyof PolicySettings)[];

/** What one setting says. */
export function policyWords(field: keyof PolicySettings, settings: PolicySettings): Words {
  if (field === 'spf') return { key: `policy.value.spf.${settings.spf}`, values: {} };
  if (field === 'blockLists') return listWords(settings);
  const value = settings[field];
  if (typeof value === 'boolean') {
    return { key: `policy.value.${value ? 'on' : 'off'}`, values: {} };
  }
  if (value === null) return { key: 'policy.value.noLimit', values: {} };
  if (field === 'greylistDelay') return { key: 'policy.value.seconds', values: { count: value } };
  if (field === 'greylistMemory') return { key: 'policy.value.days', values: { count: value } };
  return asItIs(String(value));
}

/** With those that are not asked, so that a change of them shows too. */
function listWords({ blockLists }: PolicySettings): Words {
  const named = (enabled: boolean): string =>
    blockLists
      .filter((list) => list.enabled === enabled)
      .map(({ zone, weight }) => `${toUnicodeDomain(zone)} (${weight})`)
      .join(', ');
  const [asked, off] = [named(true), named(false)];
  if (off !== '') {
    return asked === ''
      ? { key: 'policy.value.listsOff', values: { off } }
      : { key: 'policy.value.listsSome', values: { asked, off } };
  }
  return asked === '' ? { key: 'policy.value.noLists', values: {} } : asItIs(asked);
}

/** The history's sentence: what changed when it is one thing, their number when there are several. */
export function policyTitle(before: PolicySettings | null, after: PolicySettings): Words {
  const changed = POLICY_FIELDS.filter(
    (field) => before !== null && !isDeepStrictEqual(before[field], after[field]),
  );
  const [only] = changed;
  if (before === null || only === undefined) return { key: 'policy.change.first', values: {} };
  if (changed.length > 1) {
    return { key: 'policy.change.several', values: { count: changed.length } };
  }
  const value = after[only];
  if (typeof value === 'boolean') {
    return { key: `policy.change.${only}`, values: { after: value ? 'on' : 'off' } };
  }
  if (only === 'spf') return { key: 'policy.change.spf', values: { after: after.spf } };
  return only === 'blockLists'
    ? { key: 'policy.change.blockLists', values: { count: askedLists(after).length } }
    : { key: 'policy.change.number', values: { field: only, after: numberText(value) } };
}

function numberText(value: unknown): string {
  return typeof value === 'number' ? String(value) : '–';
}
