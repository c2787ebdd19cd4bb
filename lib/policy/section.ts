/**
 * Policy: what smtpd(8) asks about a stranger before it takes a mail (SMTPD_POLICY_README, SMTPD_ACCESS_README).
 *
 * All of it is one restriction class, named once in `smtpd_recipient_restrictions`, behind whatever stands there. Relay
 * protection is another list, which this never touches. Our own networks and people who have logged in leave the class at
 * once. A policy server that does not answer lets mail pass (`default_action=DUNNO`): without that everybody gets 451.
 */
import { blockListsFile, postgreyClients, postgreyFile, spfFile } from './files.js';
import {
  BLOCK_LISTS_FILE,
  POSTGREY_CLIENTS,
  POSTGREY_FILE,
  POSTGREY_PROGRAM,
  SPF_FILES,
  SPF_PROGRAM,
} from './places.js';
import {
  askedLists,
  MAX_RATE,
  NO_POLICY,
  policySchema,
  type PolicySettings,
  type SpfUse,
} from './schema.js';
import type {
  MasterService,
  Refusal,
  Section,
  SectionOutput,
  SystemView,
} from '../sections/section.js';

export const POLICY_CLASS = 'mailserver_policy';
export const SPF_SERVICE = 'mailserver-spf';

/** How long smtpd(8) waits for an answer before it goes on without one, in seconds. */
export const ANSWER_LIMIT_SECONDS = 15;

/** Limits that anvil(8) counts, by setting. */
const LIMITS = {
  connections: 'smtpd_client_connection_count_limit',
  connectionRate: 'smtpd_client_connection_rate_limit',
  messageRate: 'smtpd_client_message_rate_limit',
  recipientRate: 'smtpd_client_recipient_rate_limit',
} as const;
type Limit = keyof typeof LIMITS;
const LIMIT_NAMES = Object.keys(LIMITS) as Limit[];

const RELAY_FIRST = 'smtpd_relay_before_recipient_restrictions';
const HELO_REQUIRED = 'smtpd_helo_required';
/** What is said to a sender whose domain does not exist: by default to come again, for days. */
const UNKNOWN_CODE = 'unknown_address_reject_code';

export const policySection: Section<PolicySettings> = {
  id: 'policy',
  schema: policySchema,
  owns: {
    parameters: [POLICY_CLASS, RELAY_FIRST, HELO_REQUIRED, UNKNOWN_CODE, ...Object.values(LIMITS)],
    lists: ['smtpd_restriction_classes', 'smtpd_recipient_restrictions'],
    master: [`${SPF_SERVICE}/unix`],
    tables: [],
    files: [POSTGREY_FILE, POSTGREY_CLIENTS, ...Object.values(SPF_FILES), BLOCK_LISTS_FILE],
  },

  render(settings, system) {
    const questions = questionsOf(settings, system);
    const ours = questions.length > 0 ? [{ slot: 'policy', value: POLICY_CLASS }] : [];
    return {
      parameters: {
        // Without that a stranger who wants to relay would be asked to come again before being refused.
        ...(ours.length > 0 ? { [RELAY_FIRST]: 'yes' } : {}),
        [POLICY_CLASS]:
          ours.length > 0
            ? ['permit_mynetworks', 'permit_sasl_authenticated', ...questions].join(', ')
            : null,
        ...(settings.helo ? { [HELO_REQUIRED]: 'yes' } : {}),
        ...(settings.senderDomain ? { [UNKNOWN_CODE]: '550' } : {}),
        ...limitsOf(settings),
      },
      lists: { smtpd_restriction_classes: ours, smtpd_recipient_restrictions: ours },
      master: {
        [`${SPF_SERVICE}/unix`]: settings.spf === 'off' ? null : spfService(settings.spf, system),
      },
      files: filesOf(settings, system),
    };
  },

  read(system) {
    const questions = system.parameter(POLICY_CLASS);
    return {
      settings: {
        ...NO_POLICY,
        greylisting: questions.includes(`:${system.port('policy')},`),
        spf: readSpf(questions, system),
        senderDomain: /\breject_unknown_sender_domain\b/.test(questions),
        fullAddresses: /\breject_non_fqdn_sender\b/.test(questions),
        helo: /\breject_invalid_helo_hostname\b/.test(questions),
        ...readLimits(system),
      },
      unclear: [],
    };
  },

  refuses: (before, after, { installed }) => refusedWithoutProgram(before, after, installed),
};

/** What is asked, the cheap things first; greylisting last, so that nobody waits who is refused anyway. */
function questionsOf(settings: PolicySettings, system: SystemView): readonly string[] {
  const questions = [
    ...(settings.fullAddresses ? ['reject_non_fqdn_sender', 'reject_non_fqdn_recipient'] : []),
    ...(settings.helo ? ['reject_invalid_helo_hostname'] : []),
    ...(settings.senderDomain ? ['reject_unknown_sender_domain'] : []),
    ...(settings.spf === 'off' ? [] : [ask(`unix:private/${SPF_SERVICE}`)]),
    ...(askedLists(settings).length === 0 ? [] : [askPort(system.port('blockLists'))]),
    ...(settings.greylisting ? [askPort(system.port('policy'))] : []),
  ];
  // Nobody is asked about mail to people who do not exist; by itself Postfix would look after them last.
  const early = system.parameter('smtpd_reject_unlisted_recipient') !== 'no';
  return questions.length > 0 && early ? ['reject_unlisted_recipient', ...questions] : questions;
}

function askPort(port: number): string {
  return ask(`inet:127.0.0.1:${port}`);
}

function ask(server: string): string {
  const options = `timeout=${ANSWER_LIMIT_SECONDS}s, default_action=DUNNO`;
  return `check_policy_service { ${server}, ${options} }`;
}

/** One process for each smtpd(8) that asks, as its package says (policyd-spf(1)); no limit, or some would wait in vain. */
function spfService(use: Exclude<SpfUse, 'off'>, system: SystemView): MasterService {
  return {
    type: 'unix',
    private: '-',
    unprivileged: 'n',
    chroot: 'n',
    wakeup: '-',
    maxproc: '0',
    command: `spawn user=policyd-spf argv=${SPF_PROGRAM} ${rootOf(system)}${SPF_FILES[use]}`,
    options: [],
  };
}

/** The instance's root, '' on a machine itself. */
function rootOf({ paths }: SystemView): string {
  return paths.configDir.replace(/\/etc\/postfix$/, '');
}

function limitsOf(settings: PolicySettings): Record<string, string> {
  return Object.fromEntries(
    LIMIT_NAMES.flatMap((name) =>
      settings[name] === null ? [] : [[LIMITS[name], String(settings[name])] as const],
    ),
  );
}

function readLimits(system: SystemView): Record<Limit, number | null> {
  const read = (name: Limit): number | null => {
    const value = Number(system.parameter(LIMITS[name]));
    const usable = Number.isInteger(value) && value > 0 && value <= MAX_RATE;
    return system.isSet(LIMITS[name]) && usable ? value : null;
  };
  return Object.fromEntries(LIMIT_NAMES.map((name) => [name, read(name)])) as Record<
    Limit,
    number | null
  >;
}

function readSpf(questions: string, system: SystemView): SpfUse {
  if (!questions.includes(`unix:private/${SPF_SERVICE},`)) return 'off';
  const service = system.masterService(`${SPF_SERVICE}/unix`) ?? '';
  return service.includes(SPF_FILES.refuse) ? 'refuse' : 'mark';
}

function filesOf(
  settings: PolicySettings,
  system: SystemView,
): NonNullable<SectionOutput['files']> {
  const root = rootOf(system);
  const { greylisting } = settings;
  return {
    [POSTGREY_FILE]: greylisting ? postgreyFile(settings, system.port('policy'), root) : null,
    [POSTGREY_CLIENTS]: greylisting ? postgreyClients() : null,
    [SPF_FILES.mark]: settings.spf === 'mark' ? spfFile('mark') : null,
    [SPF_FILES.refuse]: settings.spf === 'refuse' ? spfFile('refuse') : null,
    [BLOCK_LISTS_FILE]:
      askedLists(settings).length === 0
        ? null
        : blockListsFile(settings, system.port('blockLists')),
  };
}

/** Nothing is installed silently: what is missing is said at the switch that needs it. */
function refusedWithoutProgram(
  before: PolicySettings | null,
  after: PolicySettings,
  installed: SystemView['installed'],
): Refusal | null {
  const lacks = (program: string): boolean => installed !== undefined && !installed(program);
  if (after.greylisting && !before?.greylisting && lacks(POSTGREY_PROGRAM)) {
    return { field: 'greylisting', key: 'policy.problem.greylisting.package' };
  }
  const fresh = after.spf !== 'off' && (before === null || before.spf === 'off');
  return fresh && lacks(SPF_PROGRAM) ? { field: 'spf', key: 'policy.problem.spf.package' } : null;
}
