/** The policy servers, the block lists and the order of restrictions as the page shows them. Pure. */
import type { ListReport } from '../block-lists/judge.js';
import { toAsciiDomain } from '../domains/schema.js';
import type { Formats } from '../formats.js';
import type { Translator } from '../i18n.js';
import type { FieldValues } from '../web/fields.js';
import { listFields } from './form.js';
import { OFFERED_LISTS } from './offered.js';
import { orderOf, type OrderStep, type RestrictionLists } from './order.js';
import { MAX_BLOCK_LISTS, type PolicySettings } from './schema.js';
import type { PolicyStatus } from './service.js';

interface Chip {
  readonly kind: 'ok' | 'warn' | 'off';
  readonly word: string;
}

export interface ListRowView {
  readonly number: number;
  readonly zone: { readonly name: string; readonly value: string };
  readonly weight: { readonly name: string; readonly value: string };
  readonly use: { readonly name: string; readonly value: string };
  readonly chip: Chip | null;
  /** What somebody should know of it. */
  readonly note: string;
}

/** One row for each list in the form, with how it is. */
export function viewLists(
  t: Translator,
  format: Formats,
  values: FieldValues,
  status: PolicyStatus | null,
): readonly ListRowView[] {
  const rows: ListRowView[] = [];
  for (let row = 0; row < MAX_BLOCK_LISTS; row += 1) {
    const names = listFields(row);
    const typed = values[names.zone];
    if (typed === undefined) break;
    const zone = toAsciiDomain(typed) ?? typed;
    const report = status?.lists.find((one) => one.zone === zone);
    const offered = OFFERED_LISTS.find((one) => one.zone === zone);
    rows.push({
      number: row + 1,
      zone: { name: names.zone, value: typed },
      weight: { name: names.weight, value: values[names.weight] ?? '1' },
      use: { name: names.use, value: values[names.use] ?? 'no' },
      chip: report ? chipOf(t, format, report) : null,
      note: offered ? t(`policy.list.note.${offered.note}`) : '',
    });
  }
  return rows;
}

function chipOf(t: Translator, format: Formats, { state, ipv6, checkedAt }: ListReport): Chip {
  const when = checkedAt === null ? '' : format.ago(new Date(checkedAt));
  const kind = state === 'good' ? 'ok' : state === 'waiting' ? 'off' : 'warn';
  const family = ipv6 ? 'both' : 'ipv4';
  return { kind, word: t(`policy.list.state.${state}`, { when, family }) };
}

export interface ServerNotice {
  readonly title: string;
  readonly text: string;
}

/** What is switched on and does not answer. */
export function viewServers(t: Translator, status: PolicyStatus | null): readonly ServerNotice[] {
  return (status?.servers ?? [])
    .filter(({ answers }) => !answers)
    .map(({ name }) => {
      const key = `policy.trouble.down.${name === 'postgrey' ? 'greylisting' : 'blockLists'}`;
      return { title: t(key), text: t(`${key}.meaning`) };
    });
}

export interface OrderRowView {
  readonly sentence: string;
  /** As it stands in main.cf. */
  readonly text: string;
  readonly list: string;
  readonly chip: Chip | null;
}

/** What Postfix goes through with a stranger's mail, one sentence each. */
export function viewOrder(
  t: Translator,
  restrictions: RestrictionLists | undefined,
): readonly OrderRowView[] {
  const steps = restrictions === undefined ? [] : orderOf(restrictions);
  // One question for each kind of exception; people read it as one.
  const told = steps.filter(
    ({ key, list }, at) =>
      key !== 'exceptions' || steps[at - 1]?.key !== key || steps[at - 1]?.list !== list,
  );
  return told.map((step) => ({
    sentence: t(`policy.order.${step.key}`, { name: step.text }),
    text: step.text,
    list: step.list,
    chip: orderChip(t, step),
  }));
}

function orderChip(t: Translator, { ours, unreachable }: OrderStep): Chip | null {
  if (unreachable) return { kind: 'warn', word: t('policy.order.unreachable') };
  return ours ? null : { kind: 'off', word: t('policy.order.foreign') };
}

/** The page's first sentence: what happens to strangers. */
export function viewSummary(t: Translator, settings: PolicySettings): string {
  const lists = settings.blockLists.filter(({ enabled }) => enabled).length;
  const on = [
    ...(settings.greylisting ? [t('policy.summary.greylisting')] : []),
    ...(settings.spf === 'off' ? [] : [t(`policy.summary.spf.${settings.spf}`)]),
    ...(lists === 0 ? [] : [t('policy.summary.lists', { count: lists })]),
  ];
  return on.length === 0 ? t('policy.summary.nothing') : on.join(' ');
}
