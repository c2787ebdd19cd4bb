/**
 * Address rewriting and aliases as cleanup(8) does them, with what the tables answer: which keys it asks for in which
 * order, how results are expanded again, and when it gives up (ADDRESS_REWRITING_README, virtual(5), canonical(5)).
 */
import { cutExtension } from '../../aliases/local.js';
import { foldCase } from '../../sections/fold-case.js';
import type { RouteStep } from '../../route/schema.js';
import type { Tables } from './tables.js';

export interface Expansion {
  readonly steps: readonly RouteStep[];
  readonly addresses: readonly string[];
  readonly endless: boolean;
}

export interface Locality {
  /** Asks about the domains of these addresses; `isLocal` knows of no others. */
  learn(addresses: readonly string[]): Promise<void>;
  isLocal(domain: string): boolean;
  isOurs(table: string): boolean;
}

interface Key {
  readonly key: string;
  /** What has to be given on to the results, with its delimiter. */
  readonly extension: string;
}

/** The recipient after canonical(5) mapping, which is done once. */
export async function rewrite(
  address: string,
  tables: Tables,
  where: Locality,
): Promise<{ readonly steps: readonly RouteStep[]; readonly address: string }> {
  const steps: RouteStep[] = [];
  await where.learn([address]);
  let current = address;
  const classes = tables.parameter('canonical_classes').split(/[\s,]+/);
  const wanted = ['recipient_canonical_maps'];
  if (classes.includes('envelope_recipient')) wanted.push('canonical_maps');
  for (const parameter of wanted) {
    const found = await decide(parameter, current, tables, where);
    if (!found) continue;
    const [result = current] = found.results;
    steps.push({ ...found.step, kind: 'canonical', results: [result] });
    current = result;
  }
  return { steps, address: current };
}

/** All recipients that the aliases make of one. */
export async function expand(address: string, tables: Tables, where: Locality): Promise<Expansion> {
  const limit = Number(tables.parameter('virtual_alias_expansion_limit')) || 1_000;
  const depth = Number(tables.parameter('virtual_alias_recursion_limit')) || 1_000;
  const steps = new Map<string, RouteStep>();
  const queue = [address];
  const settled = new Set<string>();
  const endless = (): Expansion => ({ steps: [...steps.values()], addresses: [], endless: true });
  for (let index = 0; index < queue.length; index += 1) {
    if (queue.length > limit) return endless();
    for (let count = 0; ; count += 1) {
      const current = queue[index] ?? '';
      if (settled.has(foldCase(current))) break;
      if (count >= depth) return endless();
      await where.learn(queue.slice(index));
      const keys = queue.slice(index).flatMap((one) => keysOf(one, tables, where));
      await tables.ask(
        'virtual_alias_maps',
        keys.map(({ key }) => key),
      );
      const found = await decide('virtual_alias_maps', current, tables, where);
      if (!found) break;
      if (steps.size < MAX_STEPS) steps.set(`${current} ${found.step.rule.key}`, found.step);
      found.results.forEach((result, place) => {
        if (place === 0) queue[index] = result;
        else queue.push(result);
        // An address may expand into itself once.
        if (foldCase(result) === foldCase(current)) settled.add(foldCase(current));
      });
    }
  }
  const unique = new Map(queue.map((one) => [foldCase(one), one]));
  return { steps: [...steps.values()], addresses: [...unique.values()], endless: false };
}

/** Steps that are told; a circle has the same ones again and again. */
const MAX_STEPS = 200;

/** In the order in which Postfix asks: user+ext@domain, user@domain, user+ext, user, @domain. */
function keysOf(address: string, tables: Tables, where: Locality): readonly Key[] {
  const at = address.lastIndexOf('@');
  const local = foldCase(address.slice(0, at));
  const domain = address.slice(at + 1).toLowerCase();
  const { user, extension } = cutExtension(local, tables.parameter('recipient_delimiter'));
  const cuts = extension === '' ? [''] : ['', extension];
  const nameOf = (cut: string): string => (cut === '' ? local : user);
  const bare = where.isLocal(domain) || domain === tables.parameter('myorigin').toLowerCase();
  return [
    ...cuts.map((cut) => ({ key: `${nameOf(cut)}@${domain}`, extension: cut })),
    ...(bare ? cuts.map((cut) => ({ key: nameOf(cut), extension: cut })) : []),
    { key: `@${domain}`, extension: '' },
  ];
}

async function decide(
  parameter: string,
  address: string,
  tables: Tables,
  where: Locality,
): Promise<{ readonly step: RouteStep; readonly results: readonly string[] } | null> {
  const keys = keysOf(address, tables, where);
  const answers = await tables.ask(
    parameter,
    keys.map(({ key }) => key),
  );
  for (const { key, extension } of keys) {
    const found = answers.get(key);
    if (!found) continue;
    const kind = parameter === 'virtual_alias_maps' ? 'virtual' : 'canonical';
    const propagated = tables.parameter('propagate_unmatched_extensions').split(/[\s,]+/);
    const cut = propagated.includes(kind) ? extension : '';
    const results = found.value
      .split(',')
      .map((text) => text.trim())
      .filter((text) => text !== '')
      .map((text) => withExtension(complete(text, address, tables), cut));
    const rule = { parameter, table: found.table, key };
    const step = { kind, address, results, rule, ours: where.isOurs(found.table) } as const;
    return { step, results };
  }
  return null;
}

/** A bare result gets `myorigin`; `@other.example` keeps the local part. */
function complete(text: string, address: string, tables: Tables): string {
  if (text.startsWith('@')) return address.slice(0, address.lastIndexOf('@')) + text;
  return text.includes('@') ? text : `${text}@${tables.parameter('myorigin')}`;
}

function withExtension(address: string, extension: string): string {
  if (extension === '') return address;
  const at = address.lastIndexOf('@');
  return `${address.slice(0, at)}${extension}${address.slice(at)}`;
}
