/** The chain of the scanners as a picture: link by link, and what is missing. Pure. */
import type { ResultOf } from '../privileged/actions/index.js';
import type { Repair } from './work.js';
import type { Words } from '../words.js';

type Status = ResultOf<'security-status'>;

/** Signatures come several times a day: older ones are told, and then they are a gap. In days. */
const SIGNATURES_OLD_DAYS = 3;
const SIGNATURES_STALE_DAYS = 7;
/** Rules for spam come every few days. In days. */
const RULES_STALE_DAYS = 30;
const DAY_MS = 24 * 60 * 60 * 1000;

export type ScannerPart = 'spamassassin' | 'clamav' | 'freshclam' | 'amavis' | 'postfix';
export type PolicyPart = Status['policy'][number]['part'];
export type Part = PolicyPart | ScannerPart;

/** Something that is missing, the part it is missing from, and what puts it right. */
export interface Gap extends Words {
  readonly part: Part;
  /** `bad`: mail waits, or passes without having been looked at. */
  readonly severity: 'bad' | 'warn';
  /** What of the helper's repairs closes it; null when something else has to be done. */
  readonly repair: Repair | null;
}

/** Gaps of the scanners: what is asked about strangers has a sentence of its own on other pages. */
export function ofScanners(gaps: readonly Gap[]): readonly Gap[] {
  const others: readonly Part[] = ['postgrey', 'spf', 'blockLists'];
  return gaps.filter(({ part }) => !others.includes(part));
}

/** What has to be fetched to close a gap; null when that does not close it. */
export function fetchFor({ key }: Gap): 'signatures' | 'rules' | null {
  if (/\.clamav\.(?:old|signatures)$/.test(key)) return 'signatures';
  return /\.spamassassin\.(?:old|rules)$/.test(key) ? 'rules' : null;
}

/** How a link of the chain is: `off` when it is not wanted, or there is nothing to it. */
export type Link = 'ok' | 'bad' | 'warn' | 'off';

export const LINKS = [
  'wanted',
  'installed',
  'running',
  'atBoot',
  'answers',
  'fresh',
  'used',
] as const;
export type LinkName = (typeof LINKS)[number];

export type ChainRow = { readonly part: Part } & Readonly<Record<LinkName, Link>>;

export function ageInDays(at: string, now: Date): number {
  return Math.max(0, Math.floor((now.getTime() - new Date(at).getTime()) / DAY_MS));
}

/** Every part with its links, in the order in which they depend on each other. */
export function viewLinks(status: Status, now: Date): readonly ChainRow[] {
  const { settings, spamassassin, clamav, freshclam, amavis, postfix } = status;
  const spam = settings?.spam ?? false;
  const virus = settings?.virus ?? false;
  const any = spam || virus;
  const wanted = (on: boolean, holds: boolean): Link => (on ? (holds ? 'ok' : 'bad') : 'off');
  const none = 'off' as const;
  return [
    ...status.policy.map(policyRow),
    {
      part: 'spamassassin',
      wanted: spam ? 'ok' : 'off',
      installed: wanted(spam, spamassassin.installed),
      // It is a part of amavis' own processes.
      running: wanted(spam, amavis.running),
      atBoot: wanted(spam, amavis.atBoot),
      answers: wanted(spam, amavis.answers),
      fresh: spam ? rulesLink(spamassassin, now) : none,
      used: wanted(spam, postfix.hands),
    },
    {
      part: 'clamav',
      wanted: virus ? 'ok' : 'off',
      installed: wanted(virus, clamav.installed),
      running: wanted(virus, clamav.running),
      atBoot: wanted(virus, clamav.atBoot),
      answers: wanted(virus, clamav.answers),
      fresh: virus ? signaturesLink(clamav.signatures, now) : none,
      used: wanted(virus, clamav.member && postfix.hands),
    },
    {
      part: 'freshclam',
      wanted: virus ? 'ok' : 'off',
      installed: wanted(virus, freshclam.installed),
      running: virus && !freshclam.running ? 'warn' : virus ? 'ok' : 'off',
      atBoot: virus && !freshclam.atBoot ? 'warn' : virus ? 'ok' : 'off',
      answers: none,
      fresh: none,
      used: none,
    },
    {
      part: 'amavis',
      wanted: any ? 'ok' : 'off',
      installed: wanted(any, amavis.installed),
      running: wanted(any, amavis.running),
      atBoot: wanted(any, amavis.atBoot),
      answers: wanted(any, amavis.answers),
      fresh: none,
      used: wanted(any, postfix.hands),
    },
    {
      part: 'postfix',
      wanted: any ? 'ok' : 'off',
      installed: none,
      running: none,
      atBoot: none,
      answers: wanted(any, postfix.takesBack),
      fresh: none,
      used: wanted(any, postfix.hands),
    },
  ];
}

/** A policy server that is away lets mail pass, so that nothing of it stops mail. */
function policyRow({ part, wanted, dead, ...links }: Status['policy'][number]): ChainRow {
  const link = (holds: boolean | null): Link =>
    !wanted || holds === null ? 'off' : holds ? 'ok' : 'warn';
  const { installed, running, atBoot, answers, used } = links;
  return {
    part,
    wanted: wanted ? 'ok' : 'off',
    installed: link(part === 'blockLists' ? null : installed),
    running: link(running),
    atBoot: link(atBoot),
    answers: link(answers),
    fresh: link(part === 'blockLists' && answers ? dead.length === 0 : null),
    used: link(used),
  };
}

function signaturesLink(signatures: Status['clamav']['signatures'], now: Date): Link {
  if (signatures === null) return 'bad';
  const days = ageInDays(signatures.at, now);
  return days >= SIGNATURES_STALE_DAYS ? 'bad' : days >= SIGNATURES_OLD_DAYS ? 'warn' : 'ok';
}

function rulesLink({ rules, hasRules }: Status['spamassassin'], now: Date): Link {
  if (!hasRules) return 'bad';
  return rules === null || ageInDays(rules.at, now) < RULES_STALE_DAYS ? 'ok' : 'warn';
}

/** What is missing, in the order in which it is put right: scanners first, then amavis. */
export function findGaps(status: Status, now: Date): readonly Gap[] {
  const { settings, spamassassin, clamav, freshclam, amavis, postfix } = status;
  const gaps: Gap[] = [];
  const add = (
    part: Part,
    key: string,
    severity: Gap['severity'],
    repair: Gap['repair'] = null,
    values: Words['values'] = {},
  ): void => void gaps.push({ part, key: `security.gap.${key}`, severity, repair, values });

  for (const { part, wanted, dead, ...links } of status.policy) {
    if (!wanted) continue;
    if (!links.installed) add(part, `${part}.installed`, 'warn');
    else {
      const repair = part === 'spf' ? null : 'policy';
      if (!links.used) add(part, `${part}.used`, 'warn');
      else if (!links.answers) add(part, `${part}.answers`, 'warn', repair);
      else if (links.atBoot === false) add(part, `${part}.atBoot`, 'warn', repair);
      if (dead.length > 0) add(part, `${part}.dead`, 'warn', null, { zones: dead.join(', ') });
    }
  }
  if (settings === null || !(settings.spam || settings.virus)) return gaps;
  if (settings.spam) {
    if (!spamassassin.installed) add('spamassassin', 'spamassassin.installed', 'bad');
    else if (!spamassassin.hasRules) add('spamassassin', 'spamassassin.rules', 'bad');
    else if (spamassassin.rules && rulesLink(spamassassin, now) !== 'ok') {
      const days = ageInDays(spamassassin.rules.at, now);
      add('spamassassin', 'spamassassin.old', 'warn', null, { days });
    }
  }
  if (settings.virus) {
    const { signatures } = clamav;
    if (!clamav.installed) add('clamav', 'clamav.installed', 'bad');
    else {
      if (signatures === null) add('clamav', 'clamav.signatures', 'bad');
      else if (signaturesLink(signatures, now) !== 'ok') {
        const days = ageInDays(signatures.at, now);
        const severity = days >= SIGNATURES_STALE_DAYS ? 'bad' : 'warn';
        add('clamav', 'clamav.old', severity, null, { days });
      }
      if (!clamav.member) add('clamav', 'clamav.group', 'bad', 'group');
      if (!clamav.answers) add('clamav', 'clamav.answers', 'bad', 'clamav');
      else if (!clamav.atBoot) add('clamav', 'clamav.atBoot', 'warn', 'clamav');
    }
    if (!freshclam.installed) add('freshclam', 'freshclam.installed', 'warn');
    else if (!freshclam.running || !freshclam.atBoot) {
      add('freshclam', 'freshclam.running', 'warn', 'freshclam');
    }
  }
  if (!amavis.installed) add('amavis', 'amavis.installed', 'bad');
  else {
    if (!amavis.answers) add('amavis', 'amavis.answers', 'bad', 'amavis');
    else if (!amavis.atBoot) add('amavis', 'amavis.atBoot', 'warn', 'amavis');
    if (!amavis.pax) add('amavis', 'amavis.pax', 'bad');
  }
  if (!postfix.hands) add('postfix', 'postfix.hands', 'bad');
  else if (!postfix.takesBack) add('postfix', 'postfix.takesBack', 'bad');
  return gaps;
}
