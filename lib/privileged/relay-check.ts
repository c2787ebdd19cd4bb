/**
 * The self-check: whether this server is an open relay. It is asked of the running Postfix through the probe listener;
 * where there is none that follows the public port (before the first save, after an edit by hand), of a copy of it.
 */
import { HelperError } from '../errors.js';
import type { RelaySettings } from '../relay-subnets/schema.js';
import { relaySection } from '../relay-subnets/section.js';
import {
  askAsStranger,
  strangersOutside,
  type StrangerAnswer,
  type StrangerOutcome,
} from './apply/strangers.js';
import { firstLocalDomain } from './apply/prove.js';
import type { Paths } from './paths.js';
import { readConfig, type ConfigView } from './postfix/config-view.js';
import { PROBE_SERVICE, probeLine, publicListener } from './postfix/listeners.js';
import { postfixService } from './services/postfix.js';
import { SmtpDialogue } from './smtp-dialogue.js';
import { readState } from './state.js';
import { withProbeCopy } from './trial/probe-copy.js';

const REPLY_TIMEOUT_MS = 15_000;

export interface RelayCheck {
  /** `refused`: nobody got through, but for reasons that do not show whether they could. */
  readonly outcome: StrangerOutcome | 'noListener';
  /** Whether the running Postfix was asked, or a copy of its configuration. */
  readonly asked: 'running' | 'copy';
  readonly answers: readonly StrangerAnswer[];
  readonly dialogue: readonly string[];
}

export async function checkRelay(paths: Paths): Promise<RelayCheck> {
  const [view, state] = await Promise.all([readConfig(paths.configDir, paths), readState(paths)]);
  const line = probeLine(publicListener(view.master));
  if (line === null) return { outcome: 'noListener', asked: 'running', answers: [], dialogue: [] };
  const known = state.sections[relaySection.id] as RelaySettings | undefined;
  const { networks } = known ?? relaySection.read(view).settings;
  const strangers = strangersOutside(networks, view.parameter('inet_protocols'));
  const follows = view.masterService(PROBE_SERVICE) === line;
  if (follows && (await postfixService(paths).running())) {
    const socket = `${paths.queueDir}/private/mailserver-probe`;
    return { asked: 'running', ...(await ask(socket, strangers, view)) };
  }
  return withProbeCopy(line, paths, async (socket) => ({
    asked: 'copy',
    ...(await ask(socket, strangers, view)),
  }));
}

/** Every stranger as themselves, and the first one once more with a sender of ours. */
async function ask(
  socket: string,
  strangers: readonly string[],
  view: ConfigView,
): Promise<Pick<RelayCheck, 'outcome' | 'answers' | 'dialogue'>> {
  const domain = firstLocalDomain(view);
  const { dialogue } = await SmtpDialogue.open({ path: socket }, REPLY_TIMEOUT_MS).catch(silent);
  try {
    const answers: StrangerAnswer[] = [];
    for (const address of strangers) answers.push(await askAsStranger(dialogue, address));
    const [first] = strangers;
    if (domain !== null && first !== undefined) {
      answers.push(await askAsStranger(dialogue, first, `postmaster@${domain}`));
    }
    return { outcome: worstOf(answers), answers, dialogue: dialogue.transcript };
  } finally {
    await dialogue.close();
  }
}

/** A Postfix that does not greet cannot be asked; that says nothing about what it would do. */
function silent(cause: unknown): never {
  const detail = cause instanceof Error ? cause.message : '';
  const key = 'helper.run.probeSilent';
  throw new HelperError({ stage: 'run', key, values: {}, detail, restored: true }, { cause });
}

function worstOf(answers: readonly StrangerAnswer[]): StrangerOutcome {
  if (answers.some(({ outcome }) => outcome === 'open')) return 'open';
  return answers.some(({ outcome }) => outcome === 'closed') ? 'closed' : 'refused';
}
