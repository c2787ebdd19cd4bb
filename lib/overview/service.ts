/**
 * Is mail flowing? What can be told right now, from the helper and the settings; also the plugin's health for the host.
 */
import type { AliasWatch } from '../aliases/watch.js';
import { letsStrangersIn } from '../relay-subnets/service.js';
import type { RecipientsService } from '../recipients/service.js';
import type { Changes } from '../changes/service.js';
import type { PluginHealth } from '../contract.js';
import type { DomainChecks } from '../domains/checks.js';
import { isInternalName } from '../domains/dns-check.js';
import { domainPath } from '../domains/list-view.js';
import { toUnicodeDomain } from '../domains/schema.js';
import type { DomainsService } from '../domains/service.js';
import type { FetchmailService } from '../fetchmail/service.js';
import type { Machine, MachineView } from '../machine/service.js';
import type { HelperError } from '../errors.js';
import type { PolicyService, PolicyTrouble } from '../policy/service.js';
import type { QueueNotice, QueueWatch } from '../queue/watch.js';
import { ofScanners } from '../security/chain.js';
import type { Chain, SecurityService } from '../security/service.js';
import type { TakeoverService } from '../takeover/service.js';
import type { TlsService, TlsTrouble } from '../tls/service.js';
import type { Words } from '../words.js';
import type { DnsRow } from './dns-view.js';
import type { Part } from './part.js';
import { createPatience, type Patience } from './patience.js';
import {
  encryptionPart,
  policyPart,
  postfixPart,
  queuePart,
  retrievalPart,
  scanningPart,
} from './parts.js';

/** How old the picture may be, in milliseconds. */
const PICTURE_AGE_MS = 5_000;
/** How long the overview waits for all that it shows together, in milliseconds: a little longer than for the machine's view. */
const PATIENCE_MS = 6_000;
/** Changes shown on the overview. */
const LAST_CHANGES = 5;
/** Domains whose DNS is looked at for the overview: with more, the list of domains has the rest. */
const MAX_CHECKED = 100;
/** smtpd(8) takes a mail while this many times the size limit is free in the queue (postconf(5), queue_minfree). */
const QUEUE_ROOM_FACTOR = 1.5;

export type Severity = 'bad' | 'warn';
const SEVERITIES: readonly Severity[] = ['bad', 'warn'];

/** Something that is not as it should be; the worst comes first. */
export interface Trouble extends Words {
  readonly severity: Severity;
  /** Where it is put right, below the mount point; '' when no page of ours can. */
  readonly remedy: string;
}

export interface Overview {
  /** `off` when nothing is known. */
  readonly state: 'ok' | 'warn' | 'bad' | 'off';
  readonly troubles: readonly Trouble[];
  readonly machine: MachineView | null;
  readonly failure: HelperError | null;
  readonly domains: number;
  /** What there is to know about the mail queue. */
  readonly queue: readonly QueueNotice[];
  /** Nothing was ever saved here, and there is a mail server to be taken over. */
  readonly takeover: boolean;
  /** Of the domains that the DNS of the internet can say anything about. */
  readonly dns: readonly DnsRow[];
  readonly chain: Chain;
  readonly tls: readonly TlsTrouble[];
  readonly policy: readonly PolicyTrouble[];
  readonly last: Awaited<ReturnType<Changes['history']>>['changes'];
}

export interface OverviewPage {
  readonly overview: Overview;
  /** How each part is. */
  readonly parts: readonly Part[];
  /** What took too long to answer, so that nothing new is shown of it: ids of parts, or `aliases`. */
  readonly missed: readonly string[];
}

export interface OverviewService {
  /** Asks the helper, and nobody beyond this machine; waits a few seconds at most. */
  page(): Promise<OverviewPage>;
  health(): Promise<PluginHealth>;
}

export function createOverviewService({
  changes,
  machine,
  domains,
  checks,
  tls,
  policy,
  security,
  queue,
  fetchmail,
  takeover,
  aliases,
  recipients,
  patienceMs = PATIENCE_MS,
}: {
  readonly changes: Pick<Changes, 'history' | 'divergence'>;
  readonly machine: Machine;
  readonly domains: Pick<DomainsService, 'current'>;
  readonly checks: Pick<DomainChecks, 'look'>;
  readonly tls: Pick<TlsService, 'troubles' | 'current' | 'means'>;
  readonly policy: Pick<PolicyService, 'troubles' | 'current'>;
  readonly security: Pick<SecurityService, 'chain'>;
  readonly queue: Pick<QueueWatch, 'notices' | 'now'>;
  readonly fetchmail: Pick<FetchmailService, 'troubles' | 'list'>;
  readonly takeover: Pick<TakeoverService, 'offered'>;
  readonly aliases: Pick<AliasWatch, 'troubles'>;
  readonly recipients: Pick<RecipientsService, 'troubles'>;
  readonly patienceMs?: number;
}): OverviewService {
  const look = async ({ within }: Patience): Promise<Overview> => {
    const [
      { view, failure },
      local,
      { changes: last },
      divergence,
      seen,
      unfetched,
      ofTls,
      ofPolicy,
      chain,
      ofAliases,
    ] = await Promise.all([
      machine.look(PICTURE_AGE_MS),
      domains.current(),
      changes.history({}, { limit: LAST_CHANGES }),
      changes.divergence(),
      queue.notices(),
      within('retrieval', fetchmail.troubles(), []),
      within('encryption', tls.troubles(), []),
      within('policy', policy.troubles(), []),
      within('scanning', security.chain(), { status: null, gaps: [], failure: null }),
      within('aliases', aliases.troubles(), []),
    ]);
    // That the queue has no room is told by `serverTroubles` already, as it is now.
    const notices = seen.filter(({ key }) => key !== 'queue.notice.full');
    const troubles: Trouble[] = view === null ? [] : [...serverTroubles(view)];
    for (const { key, values } of unfetched) {
      troubles.push({ severity: 'warn', key, values, remedy: '/fetchmail?state=failing' });
    }
    const tlsPage = '/configuration/tls';
    troubles.push(...ofTls.map((trouble) => ({ ...trouble, remedy: tlsPage })));
    troubles.push(...ofPolicy.map((one) => ({ ...one, remedy: '/security/policy' })));
    const gaps = ofScanners(chain.gaps);
    if (gaps.length > 0) {
      const severity = gaps.some((one) => one.severity === 'bad') ? 'bad' : 'warn';
      const key = `overview.trouble.security.${severity}`;
      troubles.push({ severity, key, values: { count: gaps.length }, remedy: '/security' });
    }
    const unsettled = last.find(({ state }) => state === 'applying');
    if (unsettled) {
      troubles.push({
        severity: 'warn',
        key: 'overview.trouble.unsettled',
        values: { actor: unsettled.actor },
        remedy: '/history',
      });
    }
    if (divergence !== null) {
      troubles.push({
        severity: 'warn',
        key: 'overview.trouble.divergence',
        values: {},
        remedy: '/history/divergence',
      });
    }
    if (local.source !== 'unknown' && local.onlyLocalhost) {
      const remedy = '/configuration/domains';
      troubles.push({ severity: 'warn', key: 'overview.trouble.noDomain', values: {}, remedy });
    }
    troubles.push(...ofAliases, ...recipients.troubles());
    const checked = local.domains.filter(({ name }) => !isInternalName(name)).slice(0, MAX_CHECKED);
    const { checks: found } = await checks.look(checked.map(({ name }) => name));
    const dns = checked.map((domain) => ({ domain, check: found.get(domain.name) ?? null }));
    troubles.push(...dnsTroubles(dns));
    troubles.sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
    return {
      state: stateOf(view, failure, troubles, notices),
      troubles,
      machine: view,
      failure,
      domains: local.domains.length,
      queue: notices,
      takeover: view?.postfix.installed === true && (await takeover.offered()),
      dns,
      chain,
      tls: ofTls,
      policy: ofPolicy,
      last,
    };
  };

  /** What the parts say of themselves besides; null where nobody knows. */
  const ask = ({ within }: Patience) =>
    Promise.all([
      within('queue', queue.now(), null),
      within('retrieval', fetchmail.list(), null),
      tls.current(),
      within('encryption', tls.means(), null),
      policy.current(),
    ]);

  return {
    async page() {
      const patience = createPatience(patienceMs);
      const [overview, [now, fetched, encryption, means, rules]] = await Promise.all([
        look(patience),
        ask(patience),
      ]);
      const { machine: view, queue: notices, chain, tls: ofTls, policy: ofPolicy } = overview;
      const { missed } = patience;
      const parts = [
        postfixPart(view),
        queuePart(now, notices),
        retrievalPart(fetched),
        policyPart(rules.settings, ofPolicy),
        scanningPart(chain),
        encryptionPart(encryption.settings, means, ofTls),
      ].map((part) => (missed.has(part.id) ? unlessFine(part) : part));
      const state = missed.size > 0 && overview.state === 'ok' ? 'warn' : overview.state;
      return { overview: { ...overview, state }, parts, missed: [...missed] };
    },
    async health() {
      const patience = createPatience(patienceMs);
      const { troubles, failure, queue: notices } = await look(patience);
      const problems: Words[] = [
        ...troubles,
        ...notices.map(({ key, values }) => ({ key, values })),
        ...(patience.missed.size > 0 ? [{ key: 'overview.missed.title', values: {} }] : []),
      ];
      if (failure !== null) problems.unshift({ key: failure.key, values: failure.values });
      const failing = isBad(troubles, notices);
      const status = failing ? 'failing' : problems.length > 0 ? 'degraded' : 'ok';
      return {
        status,
        problems: problems.map(({ key, values }) => ({ key, values: { ...values } })),
      };
    },
  };
}

/** Of what did not answer nobody can say that it is fine. */
function unlessFine(part: Part): Part {
  return part.kind === 'ok' ? { ...part, kind: 'off', word: 'overview.word.unknown' } : part;
}

function serverTroubles(view: MachineView): readonly Trouble[] {
  const { postfix, queueFreeBytes, effective } = view;
  const bad = (key: string, values: Words['values'] = {}): Trouble => ({
    severity: 'bad',
    key,
    values,
    remedy: '',
  });
  if (!postfix.installed) return [bad('overview.trouble.notInstalled')];
  const troubles = postfix.running ? [] : [bad('overview.trouble.stopped')];
  const needed = Number(effective['message_size_limit']) * QUEUE_ROOM_FACTOR;
  if (queueFreeBytes < needed) troubles.push(bad('overview.trouble.noRoom'));
  return [...troubles, ...handTroubles(view)];
}

/** What Postfix was told past these pages: that strangers may send, and whatever else was edited by hand. */
function handTroubles({ sections }: MachineView): readonly Trouble[] {
  const open = sections['relay']?.unclear.some(letsStrangersIn) ?? false;
  const count = Object.values(sections).flatMap(({ edited }) => edited).length;
  const troubles: Trouble[] = [];
  if (open) {
    const remedy = '/configuration/relay-subnets';
    troubles.push({ severity: 'bad', key: 'overview.trouble.openRelay', values: {}, remedy });
  }
  if (count > 0) {
    const key = 'overview.trouble.edited';
    troubles.push({ severity: 'warn', key, values: { count }, remedy: '/differences' });
  }
  return troubles;
}

/** Domains that nobody outside can write to. */
function dnsTroubles(dns: readonly DnsRow[]): readonly Trouble[] {
  const lost = dns.filter(({ check }) => check?.findings.mx.state === 'bad');
  const [first] = lost;
  if (first === undefined) return [];
  const page = '/configuration/domains';
  return [
    {
      severity: 'warn',
      key: 'overview.trouble.dns',
      values: { count: lost.length, domain: toUnicodeDomain(first.domain.name) },
      remedy: lost.length === 1 ? `${page}/${domainPath(first.domain)}` : page,
    },
  ];
}

/** Whether mail does not flow. */
function isBad(troubles: readonly Trouble[], notices: readonly QueueNotice[]): boolean {
  return (
    troubles.some(({ severity }) => severity === 'bad') ||
    notices.some(({ kind }) => kind === 'bad')
  );
}

function stateOf(
  view: MachineView | null,
  failure: HelperError | null,
  troubles: readonly Trouble[],
  notices: readonly QueueNotice[],
): Overview['state'] {
  if (view === null) return 'off';
  if (isBad(troubles, notices)) return 'bad';
  return failure !== null || troubles.length + notices.length > 0 ? 'warn' : 'ok';
}
