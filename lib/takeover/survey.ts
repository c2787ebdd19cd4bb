/** Goes through everything that is written and says of each what becomes of it. Pure. */
import { isAliasName, isTarget, parseAliasName, parseTarget } from '../aliases/address.js';
import { shownValue } from '../sections/secret-values.js';
import { CONTRADICTIONS } from './contradictions.js';
import { MAX_SHOWN_CHARS, type Finding, type Verdict } from './finding.js';
import type { AliasTable, Inventory, WrittenAlias, WrittenParameter } from './inventory.js';

/** What a section looks at besides what it writes: it is understood, and stays where it stands. */
const LOOKED_AT: Readonly<Record<string, string>> = {
  smtp_use_tls: 'smarthost',
  smtp_enforce_tls: 'smarthost',
  smtp_tls_CApath: 'smarthost',
  inet_protocols: 'relay',
  myorigin: 'aliases',
  recipient_delimiter: 'aliases',
};

/** Lists whose elements are judged one by one, by what the section took of them. */
const BY_ELEMENT: Readonly<Record<string, string>> = {
  alias_maps: 'aliases',
  virtual_alias_maps: 'aliases',
};

export interface Survey {
  readonly findings: readonly Finding[];
  /** By section: the settings as its page will show them. */
  readonly settings: Readonly<Record<string, unknown>>;
}

export function survey(inventory: Inventory): Survey {
  const { sections, system, main } = inventory;
  const readings = sections.map((section) => ({ section, ...section.read(system) }));
  const contradictions = CONTRADICTIONS.flatMap((rule) => rule(inventory));
  const told = new Set(contradictions.map(({ parameter, where }) => `${parameter} ${where.line}`));
  const rest = main
    .filter(({ name, where }) => !told.has(`${name} ${where.line}`))
    .filter(({ name }) => !(name in BY_ELEMENT))
    .map((one) => judge(one, inventory, readings));
  return {
    findings: [
      ...contradictions,
      ...rest,
      ...services(inventory),
      ...inventory.aliasTables.flatMap(aliasFindings),
    ].map(shown),
    settings: Object.fromEntries(readings.map(({ section, settings }) => [section.id, settings])),
  };
}

type Reading = {
  readonly section: Inventory['sections'][number];
  readonly unclear: readonly {
    readonly parameter: string;
    readonly value: string;
    readonly key: string;
  }[];
};

function judge(
  one: WrittenParameter,
  { sections }: Inventory,
  readings: readonly Reading[],
): Finding {
  const { name, value, where } = one;
  const owner = sections.find(({ owns }) => [...owns.parameters, ...owns.lists].includes(name));
  const section = owner?.id ?? LOOKED_AT[name] ?? null;
  const finding = (verdict: Verdict, reason: string, values: Finding['values'] = {}): Finding => {
    return { verdict, section, parameter: name, value, where, reason, values };
  };
  if (section === null) return finding('left', 'noPage');
  const unclear = readings
    .find((reading) => reading.section.id === section)
    ?.unclear.filter(({ parameter }) => parameter === name);
  if (unclear !== undefined && unclear.length > 0) {
    const parts = owner?.owns.lists.includes(name) ? unclear.map((each) => each.value) : [];
    return parts.length > 0
      ? finding('understood', 'partly', { others: parts.join(', ') })
      : finding('left', 'inexpressible', { key: unclear[0]?.key ?? '' });
  }
  return finding('understood', owner === undefined ? 'lookedAt' : 'page');
}

/** Services with options that speak of what a page is about, on other ports than the public one; and sending with login. */
function services({ master, sections }: Inventory): readonly Finding[] {
  return master.flatMap(({ name, command, options, where }) => {
    const owner = sections.find(({ owns }) => owns.master.includes(name));
    const value = [command, ...options.map((option) => `-o ${option.name}=${option.value}`)].join(
      ' ',
    );
    if (owner !== undefined) {
      const found = { section: owner.id, parameter: name, value, where };
      return [{ ...found, verdict: 'understood' as const, reason: 'service', values: {} }];
    }
    if (!['smtpd', 'smtp', 'lmtp'].includes(command) || /^(?:.*:)?(?:smtp|25)\/inet$/.test(name)) {
      return [];
    }
    return options.flatMap((option): Finding[] => {
      const about = sections.find(({ owns }) =>
        [...owns.parameters, ...owns.lists].includes(option.name),
      );
      if (about === undefined) return [];
      const found = { section: about.id, value: option.value, where: option.where };
      const parameter = `${name} -o ${option.name}`;
      return [
        { ...found, verdict: 'left', parameter, reason: 'onlyThere', values: { service: name } },
      ];
    });
  });
}

/** A table of aliases as a whole, and each entry of it that the pages could not show. */
function aliasFindings({ parameter, element, type, entries, cut }: AliasTable): readonly Finding[] {
  const found = { section: 'aliases', parameter, value: element };
  const where = entries?.[0]?.where ?? {
    file: element.replace(/^(?:proxy:)?[a-z]+:/, ''),
    line: null,
  };
  const file = { file: where.file, line: null };
  if (entries === null) {
    return [{ ...found, verdict: 'left', where: file, reason: 'pattern', values: { type } }];
  }
  const system = parameter === 'alias_maps';
  const special = entries.flatMap((entry) => odd(entry, system, parameter));
  const again = entries.filter(({ name }, index) =>
    entries.some((other, at) => at < index && other.name.toLowerCase() === name.toLowerCase()),
  );
  const reason = system ? 'systemAliases' : cut ? 'manyAliases' : 'ownAliases';
  const values = { count: entries.length - special.length };
  return [
    { ...found, verdict: system ? 'understood' : 'left', where: file, reason, values },
    ...special,
    ...again.map(({ name, targets, where: at }): Finding => {
      const value = `${name}: ${targets.join(', ')}`;
      return {
        verdict: 'contradictory',
        section: 'aliases',
        parameter,
        value,
        where: at,
        reason: 'aliasTwice',
        values: { name },
      };
    }),
  ];
}

/** What an alias of ours could never be: it runs a program, writes a file, reads a list, or its name is no address. */
function odd(
  { name, targets, where }: WrittenAlias,
  system: boolean,
  parameter: string,
): Finding[] {
  const finding = (reason: string): Finding[] => {
    const value = `${name}: ${targets.join(', ')}`;
    return [
      { verdict: 'left', section: 'aliases', parameter, value, where, reason, values: { name } },
    ];
  };
  if (targets.some((target) => /^"?\|/.test(target))) return finding('command');
  if (targets.some((target) => /^"?\//.test(target))) return finding('file');
  if (targets.some((target) => /^"?:include:/.test(target))) return finding('include');
  const plain = isPlainName(name) && targets.every(isPlainTarget);
  return system || plain ? [] : finding('oddAlias');
}

/** Whether an alias of ours could have this name. */
export function isPlainName(name: string): boolean {
  const parsed = parseAliasName(name);
  return parsed !== null && isAliasName(parsed);
}

export function isPlainTarget(target: string): boolean {
  const parsed = parseTarget(target);
  return parsed !== null && isTarget(parsed);
}

function shown(finding: Finding): Finding {
  const name = finding.parameter.split(' ').at(-1) ?? '';
  const value = shownValue(name, finding.value);
  const short = value.length > MAX_SHOWN_CHARS ? `${value.slice(0, MAX_SHOWN_CHARS)}…` : value;
  return { ...finding, value: short };
}
