/** The way of a mail in words. */
import { displayAddress, kindOfName } from '../aliases/address.js';
import { reachesNobody, wayRound, type End } from '../aliases/local.js';
import type { Step } from '../aliases/resolve.js';
import type { Translator } from '../i18n.js';
import type { RouteEnd, RouteStep, Rule } from './schema.js';
import type { RouteLook } from './service.js';

/** Results that one line names. */
const SHOWN_RESULTS = 12;

export interface RouteView {
  readonly kind: 'ok' | 'warn' | 'bad';
  readonly sentence: string;
  readonly steps: readonly { readonly text: string; readonly rule: string }[];
  readonly ends: readonly {
    readonly address: string;
    readonly kind: 'ok' | 'bad' | 'info';
    readonly word: string;
    readonly text: string;
    readonly rule: string;
  }[];
}

export function viewRoute(t: Translator, look: RouteLook): RouteView {
  const { address, settings, tables } = look;
  const { ends, endless } = tables ?? settings;
  const steps =
    tables === null
      ? settings.steps.map((step) => viewSettingsStep(t, step))
      : tables.steps.map((step) => viewStep(t, step));
  return {
    ...summary(t, address, ends, endless),
    steps,
    ends:
      tables === null
        ? settings.ends.map((end) => viewEnd(t, end))
        : tables.ends.map((end) => viewTracedEnd(t, end)),
  };
}

function summary(
  t: Translator,
  address: string,
  ends: readonly End[],
  endless: boolean,
): Pick<RouteView, 'kind' | 'sentence'> {
  const shown = displayAddress(address);
  if (endless) return { kind: 'bad', sentence: t('route.answer.endless', { address: shown }) };
  const dead = ends.filter(reachesNobody).length;
  const circle = ends.some(({ ending }) => ending === 'circle');
  const values = { address: shown, count: ends.length - dead };
  if (dead === ends.length) {
    return { kind: 'bad', sentence: t(`route.answer.${circle ? 'circle' : 'nobody'}`, values) };
  }
  if (dead > 0) {
    return {
      kind: 'warn',
      sentence: t(`route.answer.${circle ? 'partlyCircle' : 'partly'}`, values),
    };
  }
  const leaves = ends.every(({ ending }) => ending === 'outside');
  return { kind: 'ok', sentence: t(`route.answer.${leaves ? 'leaves' : 'arrives'}`, values) };
}

function viewStep(t: Translator, step: RouteStep): RouteView['steps'][number] {
  const { kind, rule, ours } = step;
  const same =
    step.results.length === 1 && step.results[0]?.toLowerCase() === step.address.toLowerCase();
  const values = { ...wordsOf(t, step), name: displayAddress(rule.key), table: rule.table };
  const text = (): string => {
    if (kind === 'virtual' && ours && same) return t('route.step.known', values);
    if (kind === 'virtual' && !ours) return t('route.step.foreign', values);
    if (kind === 'virtual' && kindOfName(rule.key) === 'catchAll')
      return t('route.step.catchAll', values);
    return t(`route.step.${aliasKey(kind, values)}`, values);
  };
  return { text: text(), rule: ruleText(rule) };
}

function viewSettingsStep(t: Translator, step: Step): RouteView['steps'][number] {
  const values = { ...wordsOf(t, step), name: displayAddress(step.name) };
  const key = step.rule === 'system' || step.rule === 'catchAll' ? step.rule : 'virtual';
  return { text: t(`route.step.${aliasKey(key, values)}`, values), rule: '' };
}

/** An alias that is written as the address is says it once. */
function aliasKey(kind: string, { name, address }: { name: string; address: string }): string {
  return kind === 'virtual' && name === address ? 'own' : kind;
}

function wordsOf(
  t: Translator,
  { address, results }: { readonly address: string; readonly results: readonly string[] },
): { readonly address: string; readonly results: string } {
  const shown = results.slice(0, SHOWN_RESULTS).map(displayAddress);
  const more = results.length - shown.length;
  const all = more > 0 ? [...shown, t('route.more', { count: more })] : shown;
  return { address: displayAddress(address), results: all.join(', ') };
}

export function viewEnd(t: Translator, end: End): RouteView['ends'][number] {
  const { address, ending, circle } = end;
  const kind = reachesNobody(end) ? 'bad' : ending === 'outside' ? 'info' : 'ok';
  return {
    ...{ address: displayAddress(address), kind },
    word: t(`route.ending.${ending}`),
    text: circle ? t('route.way.circle', { to: wayRound(circle) }) : '',
    rule: '',
  };
}

function viewTracedEnd(t: Translator, end: RouteEnd): RouteView['ends'][number] {
  const { way, to, forward, domain, rule } = end;
  const byFiles = way === 'circle' && rule.parameter === 'forward_path';
  const parts = [t(`route.way.${byFiles ? 'forwardCircle' : way}`, { to })];
  if (forward !== null) parts.push(t(`route.forward.${forward}`));
  const rules = [domain, rule].map(ruleText).filter((text) => text !== '');
  return { ...viewEnd(t, end), text: parts.join(' '), rule: [...new Set(rules)].join(' · ') };
}

/** In Postfix' own names: `virtual_alias_maps: aliases: sales`. */
function ruleText({ parameter, table, key }: Rule): string {
  const short = table === key ? '' : tableName(table);
  return [parameter, short, key].filter((part) => part !== '').join(': ');
}

/** A table by its file; one that is put together of others by its kind. */
function tableName(table: string): string {
  const match = /^(?:proxy:)?(\w+):(\/\S+)$/.exec(table);
  if (match) return `${match[1]}:${match[2]?.split('/').at(-1) ?? ''}`;
  return /^(?:proxy:)?\w+:/.exec(table)?.[0].replace(/:$/, '') ?? table;
}
