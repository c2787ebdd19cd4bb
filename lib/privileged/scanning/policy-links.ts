/** What is asked about strangers, as links of the chain: what is wanted, there, running, answering, and asked by Postfix. */
import { existsSync } from 'node:fs';
import { POSTGREY_PROGRAM, SPF_PROGRAM } from '../../policy/places.js';
import { askedLists, type PolicySettings } from '../../policy/schema.js';
import { POLICY_CLASS, SPF_SERVICE } from '../../policy/section.js';
import type { Paths } from '../paths.js';
import { readLists } from '../policy-status.js';
import type { ConfigView } from '../postfix/config-view.js';
import { publicListener } from '../postfix/listeners.js';
import { masterOption } from '../postfix/master.js';
import { daemonOf } from '../services/daemons.js';
import {
  askPolicy,
  BLOCK_LISTS,
  POSTGREY,
  probeRequest,
  type PolicyServer,
} from '../services/policy-servers.js';

export interface PolicyLinks {
  readonly part: 'postgrey' | 'spf' | 'blockLists';
  readonly wanted: boolean;
  readonly installed: boolean;
  /** Null where Postfix starts it with the question. */
  readonly running: boolean | null;
  readonly atBoot: boolean | null;
  readonly answers: boolean;
  /** Whether Postfix asks it about strangers. */
  readonly used: boolean;
  /** Names of block lists that answer wrongly, or not at all. */
  readonly dead: readonly string[];
}

/** Never throws because of a server that does not answer. */
export async function policyLinks(
  settings: PolicySettings | undefined,
  view: ConfigView,
  paths: Paths,
): Promise<readonly PolicyLinks[]> {
  const asked = isAsked(view) ? view.parameter(POLICY_CLASS) : '';
  const lists = settings === undefined ? [] : askedLists(settings);
  return Promise.all([
    serverLinks('postgrey', POSTGREY, settings?.greylisting ?? false, asked, view, paths),
    spfLinks(settings !== undefined && settings.spf !== 'off', asked, paths),
    serverLinks('blockLists', BLOCK_LISTS, lists.length > 0, asked, view, paths),
  ]);
}

/** The service on port 25 may have a word of its own. */
function isAsked(view: ConfigView): boolean {
  const name = 'smtpd_recipient_restrictions';
  const entry = publicListener(view.master)?.entry.line ?? '';
  const restrictions = masterOption(entry, name) ?? view.parameter(name);
  return restrictions.split(/[\s,]+/).includes(POLICY_CLASS);
}

async function serverLinks(
  part: PolicyLinks['part'],
  { definition, port }: PolicyServer,
  wanted: boolean,
  asked: string,
  view: ConfigView,
  paths: Paths,
): Promise<PolicyLinks> {
  const installed = part === 'blockLists' || existsSync(POSTGREY_PROGRAM);
  if (!wanted || !installed) return { ...NOTHING, part, wanted, installed };
  const daemon = daemonOf(definition, paths);
  const [running, atBoot, answers, lists] = await Promise.all([
    daemon.running(),
    daemon.enabledAtBoot(),
    daemon.answers(),
    part === 'blockLists' ? readLists(paths) : [],
  ]);
  const dead = lists
    .filter(({ state }) => state !== 'good' && state !== 'waiting')
    .map(({ zone }) => zone);
  const used = asked.includes(`:${view.port(port)},`);
  return { part, wanted, installed, running, atBoot, answers, used, dead };
}

async function spfLinks(wanted: boolean, asked: string, paths: Paths): Promise<PolicyLinks> {
  const part = 'spf' as const;
  const installed = existsSync(SPF_PROGRAM);
  if (!wanted || !installed) return { ...NOTHING, part, wanted, installed };
  const socket = `private/${SPF_SERVICE}`;
  const answer = await askPolicy({ path: `${paths.queueDir}/${socket}` }, probeRequest()).catch(
    () => '',
  );
  const used = asked.includes(`unix:${socket},`);
  const answers = answer.startsWith('action=');
  return { part, wanted, installed, running: null, atBoot: null, answers, used, dead: [] };
}

const NOTHING = { running: false, atBoot: false, answers: false, used: false, dead: [] } as const;
