/** Where the configuration says two things at once, or something that Postfix cannot do. One rule each. */
import { isAsciiDomain } from '../domains/schema.js';
import { parseNetwork, refusalOf } from '../relay-subnets/network.js';
import { splitList } from '../sections/elements.js';
import { expand } from '../sections/expand.js';
import type { Finding } from './finding.js';
import { writtenIn, type Inventory, type WrittenParameter } from './inventory.js';

type Rule = (inventory: Inventory) => readonly Finding[];

/** Parameters that are numbers of bytes, with the section they belong to. */
const SIZES = ['message_size_limit', 'mailbox_size_limit', 'virtual_mailbox_limit'] as const;

/** Old names of what `*_tls_security_level` says (TLS_README). */
const OVERRULED: Readonly<Record<string, string>> = {
  smtp_use_tls: 'smtp_tls_security_level',
  smtp_enforce_tls: 'smtp_tls_security_level',
  smtp_tls_per_site: 'smtp_tls_policy_maps',
  smtpd_use_tls: 'smtpd_tls_security_level',
  smtpd_enforce_tls: 'smtpd_tls_security_level',
  mynetworks_style: 'mynetworks',
};

/** Lists that say which domains a class of mail has (ADDRESS_CLASS_README). */
const OTHER_CLASSES = ['virtual_alias_domains', 'virtual_mailbox_domains'] as const;

/** Words of which at least one has to stand among the restrictions, or smtpd(8) does not start. */
const REJECTING =
  /\b(?:reject|defer|defer_if_permit|reject_unauth_destination|defer_unauth_destination|check_relay_domains)\b/;

function contradiction(
  { name, value, where }: WrittenParameter,
  section: string | null,
  reason: string,
  values: Finding['values'] = {},
): Finding {
  return { verdict: 'contradictory', section, parameter: name, value, where, reason, values };
}

const twice: Rule = ({ main, sections }) =>
  main.flatMap((one, index) => {
    const last = main.findLast(({ name }) => name === one.name);
    if (last === undefined || main.lastIndexOf(last) === index) return [];
    const owner = sections.find(({ owns }) =>
      [...owns.parameters, ...owns.lists].includes(one.name),
    );
    const values = { line: String(last.where.line ?? ''), other: last.value };
    return [contradiction(one, owner?.id ?? null, 'twice', values)];
  });

const sizes: Rule = (inventory) => {
  const written = (name: string) => writtenIn(inventory, name);
  const found = SIZES.flatMap((name) => {
    const one = written(name);
    const bad = one !== null && !/^\d+$/.test(expand(one.value, inventory.system));
    return bad ? [contradiction(one, 'base', 'number')] : [];
  });
  const [message, ...boxes] = SIZES.map((name) => Number(inventory.system.parameter(name)));
  const small = boxes.findIndex((limit) => limit > 0 && (message === 0 || limit < (message ?? 0)));
  const limit = small < 0 ? undefined : SIZES[small + 1];
  // The default of virtual_mailbox_limit matters only where there are virtual mailboxes.
  if (limit === undefined || found.length > 0) return found;
  const one =
    written(limit) ?? (limit === 'mailbox_size_limit' ? written('message_size_limit') : null);
  return one === null ? [] : [contradiction(one, 'base', 'sizes', { limit })];
};

const networks: Rule = (inventory) => {
  const one = writtenIn(inventory, 'mynetworks');
  if (one === null) return [];
  return splitList(expand(one.value, inventory.system)).flatMap((element) => {
    const plain = element.replace(/^!/, '');
    if (/^[a-z]+:/i.test(plain) || plain.startsWith('/')) return [];
    const parsed = parseNetwork(plain);
    const at = { ...one, value: element };
    if ('fault' in parsed) {
      const [network = ''] = parsed.suggestions;
      const reason = network === '' || parsed.fault !== 'hostBits' ? 'network' : 'hostBits';
      return [contradiction(at, 'relay', reason, { network })];
    }
    const refusal = element.startsWith('!') ? null : refusalOf(parsed.network);
    return refusal === 'everyone' || refusal === 'tooWide'
      ? [contradiction(at, 'relay', 'open')]
      : [];
  });
};

const overruled: Rule = (inventory) =>
  Object.entries(OVERRULED).flatMap(([name, by]) => {
    const one = writtenIn(inventory, name);
    const other = writtenIn(inventory, by);
    if (one === null || other === null || other.value === '') return [];
    const section = name.startsWith('mynetworks') ? 'relay' : 'tls';
    return [contradiction(one, section, 'overruled', { by })];
  });

const classes: Rule = (inventory) => {
  const { system } = inventory;
  const local = new Set(
    splitList(expand(system.parameter('mydestination'), system))
      .map((name) => name.toLowerCase())
      .filter(isAsciiDomain),
  );
  return OTHER_CLASSES.flatMap((parameter) => {
    // By default both hold what others say already.
    const one = writtenIn(inventory, parameter);
    if (one === null) return [];
    const named = splitList(expand(one.value, system)).map((name) => name.toLowerCase());
    const tables = named.some((element) => element.includes(':') || element.startsWith('/'));
    return [...local]
      .filter(
        (name) =>
          named.includes(name) || (tables && (system.lookup?.(parameter, name) ?? null) !== null),
      )
      .map((domain) =>
        contradiction(one, 'domains', 'classes', { domain, other: 'mydestination' }),
      );
  });
};

const relay: Rule = (inventory) => {
  const { system } = inventory;
  const one = writtenIn(inventory, 'relayhost');
  const host = /^\[?([^\]:]+)/.exec(expand(one?.value ?? '', system))?.[1]?.toLowerCase();
  const own = expand(system.parameter('myhostname'), system).toLowerCase();
  const loop = one !== null && host !== undefined && host === own;
  return loop ? [contradiction(one, 'smarthost', 'loop')] : [];
};

const login: Rule = (inventory) => {
  const enabled = inventory.system.parameter('smtp_sasl_auth_enable') === 'yes';
  const maps = writtenIn(inventory, 'smtp_sasl_password_maps');
  const named = maps !== null && maps.value !== '';
  if (enabled && !named) {
    const one = writtenIn(inventory, 'smtp_sasl_auth_enable');
    return one === null ? [] : [contradiction(one, 'smarthost', 'noPasswords')];
  }
  return !enabled && named ? [contradiction(maps, 'smarthost', 'loginOff')] : [];
};

/** `-o` in master.cf on the port where mail comes in counts more than what main.cf, and so a page, says. */
const overrides: Rule = ({ master, sections, system }) =>
  master
    .filter(({ name, command }) => isPublic(name) && ['smtpd', 'postscreen'].includes(command))
    .flatMap(({ name, options }) =>
      options.flatMap((option) => {
        const owner = sections.find(({ owns }) =>
          [...owns.parameters, ...owns.lists].includes(option.name),
        );
        if (owner === undefined || option.value === system.parameter(option.name)) return [];
        const values = { service: name, parameter: option.name };
        const at = { ...option, name: `${name} -o ${option.name}` };
        return [contradiction(at, owner.id, 'override', values)];
      }),
    );

function isPublic(service: string): boolean {
  return /^(?:.*:)?(?:smtp|25)\/inet$/.test(service);
}

const unused: Rule = ({ main, unused: names }) =>
  main.filter(({ name }) => names.has(name)).map((one) => contradiction(one, null, 'unused'));

/** Names that a value refers to and nobody sets. */
const undefinedNames: Rule = ({ main, known }) => {
  const set = new Set(main.map(({ name }) => name));
  return main.flatMap((one) => {
    if (!ownReferences(one.name)) return [];
    const names = [...one.value.matchAll(/(?<!\$)\$[{(]?([a-z]\w{3,})/g)].map(
      ([, name = '']) => name,
    );
    const missing = names.find((name) => !set.has(name) && !known.has(name));
    return missing === undefined ? [] : [contradiction(one, null, 'undefined', { name: missing })];
  });
};

/** Where `$name` means another parameter, and not a part of the message (postconf(5), local(8)). */
function ownReferences(parameter: string): boolean {
  return /^(?:my\w+|relayhost|relay_domains|inet_interfaces|proxy_interfaces|smtp_helo_name|smtpd_banner|virtual_(?:alias|mailbox)_domains|alias_maps|alias_database|local_recipient_maps)$/.test(
    parameter,
  );
}

/** Every `type:path` must be of a kind this Postfix reads, and be there. */
const tables: Rule = ({ main, system, tableTypes, exists, sections }) =>
  main
    .filter(({ name }) =>
      /_maps$|^(?:mydestination|mynetworks|relay_domains)$|_domains$/.test(name),
    )
    .flatMap((one) =>
      splitList(expand(one.value, system)).flatMap((element) => {
        const match = /^(?:proxy:)?([a-z]+):(\/\S+)$/.exec(element);
        const [, type = '', path = ''] = match ?? [];
        if (match === null) return [];
        const owner = sections.find(({ owns }) =>
          [...owns.parameters, ...owns.lists].includes(one.name),
        );
        const at = { ...one, value: element };
        const section = owner?.id ?? null;
        if (!tableTypes.has(type)) return [contradiction(at, section, 'tableType', { type })];
        return exists(fileOf(type, path)) ? [] : [contradiction(at, section, 'table', { path })];
      }),
    );

/** The file Postfix opens for a table (DATABASE_README). */
export function fileOf(type: string, path: string): string {
  const endings: Readonly<Record<string, string>> = {
    hash: '.db',
    btree: '.db',
    lmdb: '.lmdb',
    cdb: '.cdb',
    dbm: '.pag',
  };
  return path + (endings[type] ?? '');
}

const restrictions: Rule = (inventory) => {
  const { system } = inventory;
  const names = ['smtpd_relay_restrictions', 'smtpd_recipient_restrictions'] as const;
  if (names.some((name) => REJECTING.test(expand(system.parameter(name), system)))) return [];
  const one = writtenIn(inventory, names[0]) ?? writtenIn(inventory, names[1]);
  return one === null ? [] : [contradiction(one, null, 'noReject')];
};

export const CONTRADICTIONS: readonly Rule[] = [
  twice,
  sizes,
  networks,
  overruled,
  classes,
  relay,
  login,
  overrides,
  unused,
  undefinedNames,
  tables,
  restrictions,
];
