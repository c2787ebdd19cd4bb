/** The chain, and what puts it right, as the page shows them. Pure. */
import type { Formats } from '../formats.js';
import type { Translator } from '../i18n.js';
import type { ResultOf } from '../privileged/actions/index.js';
import { requestFailed } from '../web/helper-notices.js';
import type { Notice } from '../web/notice.js';
import { LINKS, type ChainRow, type Gap } from './chain.js';
import { isOnAlready } from './packages.js';
import type { ChainTask, ScannerStatus } from './service.js';
import type { Task } from './tasks.js';

export interface StateView {
  readonly kind: 'ok' | 'warn' | 'bad' | 'off';
  readonly sentence: string;
  readonly meaning: string;
}

/** The one sentence about how things are. */
export function viewState(
  t: Translator,
  { settings }: ScannerStatus,
  gaps: readonly Gap[],
): StateView {
  const say = (kind: StateView['kind'], name: string): StateView => ({
    kind,
    sentence: t(`security.state.${name}`, { count: gaps.length }),
    meaning: t(`security.state.${name}.meaning`, { count: gaps.length }),
  });
  if (settings === null || !(settings.spam || settings.virus))
    return gaps.length > 0 ? say('warn', 'offGaps') : say('off', 'off');
  if (gaps.some(({ severity }) => severity === 'bad')) return say('bad', 'broken');
  if (gaps.length > 0) return say('warn', 'gaps');
  if (!settings.virus) return say('ok', 'spamOnly');
  return say('ok', settings.spam ? 'both' : 'virusOnly');
}

export interface ChainView {
  readonly columns: readonly string[];
  readonly rows: readonly {
    readonly name: string;
    readonly text: string;
    readonly cells: readonly {
      readonly heading: string;
      readonly kind: string;
      readonly word: string;
    }[];
  }[];
}

/** The picture as a table: a row per part, a column per link. */
export function viewChain(t: Translator, rows: readonly ChainRow[]): ChainView {
  return {
    columns: LINKS.map((link) => t(`security.link.${link}`)),
    rows: rows.map((row) => ({
      name: t(`security.part.${row.part}`),
      text: t(`security.part.${row.part}.text`),
      cells: LINKS.map((link) => ({
        heading: t(`security.link.${link}`),
        kind: row[link],
        word: t(
          `security.word.${link === 'wanted' && row[link] === 'off' ? 'notWanted' : row[link]}`,
        ),
      })),
    })),
  };
}

export interface TaskView {
  readonly running: boolean;
  readonly title: string;
  readonly step: string;
  readonly done: number;
  readonly total: number;
  readonly notice: Notice | null;
}

/** How far a task is, or how it ended: what `noticeOf` says of its result. */
export function viewProgress<Result>(
  t: Translator,
  has: (key: string) => boolean,
  { now, step, done, total }: Task<unknown, Result>,
  title: string,
  noticeOf: (result: Result) => Notice,
): TaskView {
  const notice =
    now.state === 'running'
      ? null
      : now.state === 'failed'
        ? requestFailed(t, now.failure, has)
        : noticeOf(now.result);
  return {
    ...{ running: now.state === 'running', title, done, notice },
    step: step === '' ? '' : t(`security.step.${step}`),
    total: total ?? 0,
  };
}

const RUNNING: Readonly<Record<ChainTask['kind'], string>> = {
  repair: 'security.task.running',
  update: 'security.update.running',
  install: 'security.packages.running',
};

/** How far the putting right, the fetching or the installing is, or how it ended. */
export function viewTask(
  t: Translator,
  format: Formats,
  has: (key: string) => boolean,
  task: ChainTask,
  /** How the chain is now; null when nobody says. */
  status: Pick<ScannerStatus, 'settings' | 'policy'> | null,
): TaskView {
  const when = format.moment(task.startedAt);
  return viewProgress(t, has, task, t(RUNNING[task.kind], { when }), (result) => {
    if ('installed' in result) {
      const count = result.installed.length;
      const title = t('security.packages.done', { count, when });
      const on = status !== null && isOnAlready(result.installed, status);
      const next = t(on ? 'security.packages.nextOn' : 'security.packages.next');
      return { kind: 'ok', role: 'status', title, paragraphs: [next] };
    }
    if (!('proof' in result)) {
      const title = t(`security.updated.${result.done[0]}`, { when });
      return { kind: 'ok', role: 'status', title, paragraphs: [] };
    }
    return repairNotice(t, when, result);
  });
}

function repairNotice(
  t: Translator,
  when: string,
  { done, proof }: ResultOf<'security-repair'>,
): Notice {
  const wrong = proof.filter(({ ok }) => !ok);
  const well = wrong.length === 0;
  const lines = proof.map(({ key, values, ok }) =>
    t(ok ? 'saved.proofOk' : 'saved.proofNot', { step: t(key, values) }),
  );
  return {
    kind: well ? 'ok' : 'bad',
    role: 'status',
    title: t(well ? 'security.task.done' : 'security.task.notDone', { when }),
    paragraphs: well
      ? [t('security.task.did', { count: done.length })]
      : wrong.map(({ key, values }) => t(`helper.${key}`, values)),
    points: done.map((one) => t(`security.did.${one}`)),
    details: { summary: t('saved.proof'), text: lines.join('\n') },
  };
}
