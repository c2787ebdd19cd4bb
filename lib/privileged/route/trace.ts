/** Where mail to an address goes, step by step, by what the running Postfix' own tables and parameters say. */
import { splitList } from '../../sections/elements.js';
import {
  cutExtension,
  followLocal,
  namesOf,
  parseAliasValue,
  wayRound,
  type End,
  type Ending,
  type LocalTarget,
} from '../../aliases/local.js';
import type { RouteAnswer, RouteEnd, RouteStep, Rule, Way } from '../../route/schema.js';
import type { Paths } from '../paths.js';
import { createDomains, domainOf, type Domains } from './domains.js';
import { expand, rewrite } from './expand.js';
import { forwardOf, type ForwardFile } from './forward.js';
import { openTables, USERS, type Tables, type Unasked } from './tables.js';

const PARAMETERS = [
  ...['myorigin', 'mydestination', 'recipient_delimiter', 'propagate_unmatched_extensions'],
  ...['recipient_canonical_maps', 'canonical_maps', 'canonical_classes'],
  ...['virtual_alias_maps', 'virtual_alias_expansion_limit', 'virtual_alias_recursion_limit'],
  ...['virtual_alias_domains', 'virtual_mailbox_domains', 'virtual_mailbox_maps'],
  ...['virtual_transport', 'relay_domains', 'relay_recipient_maps', 'relay_transport'],
  ...['transport_maps', 'relayhost', 'default_transport', 'local_transport'],
  ...['sender_dependent_relayhost_maps', 'sender_dependent_default_transport_maps'],
  ...['parent_domain_matches_subdomains', 'alias_maps', 'local_recipient_maps'],
  ...['mailbox_transport_maps', 'mailbox_transport', 'mailbox_command', 'home_mailbox'],
  ...['mail_spool_directory', 'fallback_transport_maps', 'fallback_transport', 'luser_relay'],
] as const;

export interface Traced extends RouteAnswer {
  /** Tables that did not answer. */
  readonly unasked: readonly Unasked[];
}

/** `address` has a domain. */
export async function traceRoute(address: string, paths: Paths, running: boolean): Promise<Traced> {
  const tables = await openTables(paths, PARAMETERS, running);
  const domains = createDomains(tables, paths.ownConfigDir);
  const rewritten = await rewrite(address, tables, domains);
  const expanded = await expand(rewritten.address, tables, domains);
  const steps: RouteStep[] = [...rewritten.steps, ...expanded.steps];
  const ends = new Map<string, RouteEnd>();
  const unforwarded: End[] = [];
  for (const one of expanded.addresses) {
    await domains.learn([one]);
    const { domainClass } = domains.classOf(domainOf(one));
    if (domainClass !== 'local') {
      const end = await leave(one, tables, domains);
      ends.set(end.address, end);
      unforwarded.push(end);
      continue;
    }
    const local = await deliver(one, tables, domains);
    steps.push(...local.steps);
    unforwarded.push(...local.unforwarded);
    for (const end of local.ends) ends.set(end.address, end);
  }
  return {
    steps,
    ends: [...ends.values()],
    unforwarded: unforwarded.map(({ address: at, ending }) => ({ address: at, ending })),
    endless: expanded.endless,
    running,
    bySender:
      tables.parameter('sender_dependent_relayhost_maps') !== '' ||
      tables.parameter('sender_dependent_default_transport_maps') !== '',
    unasked: tables.unasked,
  };
}

/** Addresses one delivery is followed to over `.forward` files; Postfix has no such limit, a page has. */
const MAX_FORWARDED = 100;

interface Local {
  readonly steps: readonly RouteStep[];
  readonly ends: readonly RouteEnd[];
  /** The same without `.forward` files. */
  readonly unforwarded: readonly End[];
}

/** What local(8) does: the aliases file, then the user's `.forward` file, then the mailbox. */
async function deliver(address: string, tables: Tables, domains: Domains): Promise<Local> {
  const delimiters = tables.parameter('recipient_delimiter');
  const followed = await followAsking(address, tables, domains);
  const steps = [...followed.steps];
  const ends = new Map<string, RouteEnd>();
  /** Files that were followed: their users and what they say. */
  const done = new Set<string>();
  const open: Open[] = followed.ends.map((end) => ({ ...end, from: address, owners: [] }));
  const handOver = async ({ address: at, ending, from }: Open, names: readonly string[]) => {
    const end = await store(at, names, ending, tables);
    return { ...end, domain: domains.classOf(domainOf(from)).rule };
  };
  for (let current = open.shift(); current; current = open.shift()) {
    const { address: at, ending, from, owners } = current;
    if (ending === 'outside') {
      await domains.learn([at]);
      ends.set(at, await leave(at, tables, domains));
      continue;
    }
    if (ending === 'program' || ending === 'file' || ending === 'include') {
      const rule = blankRule(owners.length > 0 ? 'forward_path' : 'alias_maps');
      ends.set(at, { ...blank(at, ending), way: ending, to: at, rule });
      continue;
    }
    if (ending === 'circle') {
      const to = wayRound(current.circle ?? []);
      ends.set(at, { ...blank(at, ending), way: ending, to, rule: blankRule('alias_maps') });
      continue;
    }
    const local = at.includes('@') ? at.slice(0, at.lastIndexOf('@')) : at;
    const names = namesOf(local, delimiters);
    const forward = await forwardOf(names, cutExtension(local, delimiters).extension, tables);
    const fault = forward !== null && 'fault' in forward ? forward.fault : null;
    const own = forward !== null && 'login' in forward ? forward : null;
    const turn = own === null ? -1 : owners.indexOf(own.login);
    if (own !== null && turn >= 0 && turn < owners.length - 1) {
      // Somebody else's file led back: local(8) finds its own Delivered-To and gives the mail back.
      const to = wayRound([...owners.slice(turn), own.login]);
      const rule = blankRule('forward_path');
      ends.set(`${at} ${to}`, { ...blank(at, 'circle'), way: 'circle', to, rule });
      continue;
    }
    // Mail that a user's own file leads back to the user goes to the mailbox.
    const file = turn < 0 ? own : null;
    if (file !== null) {
      // One that was followed to its end on another way is not followed again.
      const content = JSON.stringify(file);
      if (done.has(content)) continue;
      done.add(content);
    }
    const room = Math.max(0, MAX_FORWARDED - ends.size - open.length);
    if (file === null || room === 0) {
      ends.set(at, { ...(await handOver(current, names)), forward: fault });
      continue;
    }
    const targets = completed(file, domainOf(at.includes('@') ? at : from)).slice(0, room);
    const results = targets.map(({ text }) => text);
    const rule = blankRule('forward_path');
    steps.push({ kind: 'forward', address: at, results, rule, ours: false });
    const inside = [...owners, file.login];
    const further: Open[] = [];
    for (const { kind, name, text } of targets) {
      if (kind === 'mailbox') {
        const box = { address: text, ending: kind, from: text, owners: inside };
        ends.set(text, await handOver(box, namesOf(name, delimiters)));
      } else if (kind === 'address') {
        const led = await followAsking(text, tables, domains);
        steps.push(...led.steps);
        further.push(...led.ends.map((end) => ({ ...end, from: text, owners: inside })));
      } else {
        further.push({ address: text, ending: kind, from, owners: inside });
      }
    }
    // As local(8) does: each way to its end before the next one.
    open.unshift(...further);
  }
  return { steps, ends: [...ends.values()], unforwarded: followed.ends };
}

/** What a file says, with its names as addresses of this domain: `text`; `name` is as it stands there. */
function completed({ targets }: ForwardFile, domain: string) {
  return targets.map(({ kind, text: name }) => {
    const bare = (kind === 'address' || kind === 'mailbox') && !name.includes('@');
    return { kind, name, text: bare ? `${name}@${domain}` : name };
  });
}

interface Open extends End {
  /** The address with the domain that made it local. */
  readonly from: string;
  /** Users whose `.forward` files led here. */
  readonly owners: readonly string[];
}

/** Follows with what is known, and asks for what was missing, until nothing is. */
async function followAsking(address: string, tables: Tables, domains: Domains) {
  const users = new Map<string, boolean>();
  const aliases = new Map<
    string,
    { readonly targets: readonly LocalTarget[]; readonly rule: Rule }
  >();
  for (;;) {
    const missing = new Set<string>();
    const strangers: string[] = [];
    const learned = (domain: string): boolean => {
      strangers.push(`x@${domain}`);
      return domains.isLocal(domain);
    };
    const followed = followLocal(address, {
      isLocal: learned,
      delimiters: tables.parameter('recipient_delimiter'),
      isUser: (name) => users.get(name) ?? (missing.add(name), false),
      systemAlias: (name) => {
        if (!users.has(name)) missing.add(name);
        return aliases.get(name)?.targets;
      },
    });
    await domains.learn(strangers);
    if (missing.size === 0) {
      const steps = followed.steps.map((step): RouteStep => {
        const rule = aliases.get(step.name)?.rule ?? blankRule('alias_maps');
        return { kind: 'system', address: step.address, results: step.results, rule, ours: false };
      });
      return { steps, ends: followed.ends };
    }
    const names = [...missing];
    const [found, present] = await Promise.all([
      tables.ask('alias_maps', names),
      usersAmong(names, tables),
    ]);
    for (const name of names) {
      users.set(name, present.has(name));
      const alias = found.get(name);
      if (!alias) continue;
      const rule = { parameter: 'alias_maps', table: alias.table, key: name };
      aliases.set(name, { targets: parseAliasValue(alias.value), rule });
    }
  }
}

/** Users of the machine, and where another server keeps the mailboxes, whom Postfix was told of. */
async function usersAmong(names: readonly string[], tables: Tables): Promise<ReadonlySet<string>> {
  const found = new Set((await tables.askTable(USERS, names)).keys());
  const elsewhere =
    tables.parameter('mailbox_transport') !== '' ||
    tables.parameter('mailbox_transport_maps') !== '';
  if (!elsewhere) return found;
  const aliases = new Set(splitList(tables.parameter('alias_maps')));
  for (const name of (await tables.ask('mailbox_transport_maps', names)).keys()) found.add(name);
  for (const table of splitList(tables.parameter('local_recipient_maps'))) {
    if (aliases.has(table) || !table.includes(':')) continue;
    for (const name of (await tables.askTable(table, names)).keys()) found.add(name);
  }
  return found;
}

/** Into a mailbox, or what comes in its place, in the order of local(8). */
async function store(
  address: string,
  names: readonly string[],
  ending: Ending,
  tables: Tables,
): Promise<RouteEnd> {
  const entries = await tables.askTable(USERS, names);
  const login = names.find((name) => entries.has(name));
  const home = (entries.get(login ?? '') ?? '').split(':')[5] ?? '';
  const made = (way: Way, to: string, rule: Rule): RouteEnd => ({
    ...blank(address, ending),
    ...{ way, to, rule },
  });
  const maps = await tables.ask('mailbox_transport_maps', names);
  const mapped = names.find((name) => maps.has(name));
  if (mapped !== undefined) {
    const { value, table } = maps.get(mapped) ?? { value: '', table: '' };
    return made('transport', value, { parameter: 'mailbox_transport_maps', table, key: mapped });
  }
  const transport = tables.parameter('mailbox_transport');
  if (transport !== '') return made('transport', transport, blankRule('mailbox_transport'));
  if (login !== undefined) {
    const command = tables.parameter('mailbox_command');
    if (command !== '') return made('command', command, blankRule('mailbox_command'));
    const own = tables.parameter('home_mailbox');
    if (own !== '') return made('mailbox', `${home}/${own}`, blankRule('home_mailbox'));
    const spool = tables.parameter('mail_spool_directory').replace(/\/$/, '');
    return made('mailbox', `${spool}/${login}`, blankRule('mail_spool_directory'));
  }
  const fallback = tables.parameter('fallback_transport');
  if (fallback !== '') return made('fallback', fallback, blankRule('fallback_transport'));
  const luser = tables.parameter('luser_relay');
  if (luser !== '') return made('luser', luser, blankRule('luser_relay'));
  return made('bounce', '', blankRule('local_recipient_maps'));
}

/** Mail that other servers look after, in the order of trivial-rewrite(8). */
async function leave(address: string, tables: Tables, domains: Domains): Promise<RouteEnd> {
  const domain = domainOf(address);
  const { domainClass, rule: domainRule } = domains.classOf(domain);
  const made = (way: Way, to: string, rule: Rule, ending: Ending = 'outside'): RouteEnd => ({
    ...blank(address, ending),
    ...{ way, to, rule, domain: domainRule },
  });
  if (domainClass === 'virtualAlias') return made('refused', '', domainRule, 'unknown');
  const keys = [address.toLowerCase(), ...domainKeys(domain), '*'];
  const answers = await tables.ask('transport_maps', keys);
  const key = keys.find((one) => answers.has(one));
  const found = key === undefined ? undefined : answers.get(key);
  if (found && found.value !== ':' && key !== undefined) {
    return made('transport', found.value, { parameter: 'transport_maps', table: found.table, key });
  }
  if (domainClass === 'virtualMailbox') {
    const boxes = await tables.ask('virtual_mailbox_maps', [address.toLowerCase(), `@${domain}`]);
    const box = boxes.get(address.toLowerCase()) ?? boxes.get(`@${domain}`);
    const rule = blankRule('virtual_transport');
    const ending = box || tables.parameter('virtual_mailbox_maps') === '' ? 'mailbox' : 'unknown';
    return made('virtualMailbox', tables.parameter('virtual_transport'), rule, ending);
  }
  const relayhost = tables.parameter('relayhost');
  if (relayhost !== '') return made('smarthost', relayhost, blankRule('relayhost'));
  const parameter = domainClass === 'relay' ? 'relay_transport' : 'default_transport';
  return made('mx', domain, blankRule(parameter));
}

/** `.example.com` for what is below example.com (transport(5)). */
function domainKeys(domain: string): readonly string[] {
  const labels = domain.split('.');
  return [domain, ...labels.slice(1).map((_, index) => `.${labels.slice(index + 1).join('.')}`)];
}

function blankRule(parameter: string): Rule {
  return { parameter, table: '', key: '' };
}

function blank(address: string, ending: Ending): RouteEnd {
  const rule = blankRule('');
  return { address, ending, way: 'bounce', to: '', domain: rule, rule, forward: null };
}
