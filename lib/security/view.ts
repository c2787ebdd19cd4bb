/** The chain, and what puts it right, as the page shows them. Pure. */
import type { Formats } from '../formats.js';
import type { Translator } from '../i18n.js';
import { requestFailed } from '../web/helper-notices.js';
import type { Notice } from '../web/notice.js';
import { LINKS, type ChainRow, type Gap } from './chain.js';
import type { ChainTask, ScannerStatus } from './service.js';

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

const RUNNING: Readonly<Record<ChainTask['kind'], string>> = {
  repair: 'security.task.running',
  update: 'security.update.running',
  install: 'security.packages.running',
};

/** How far the putting right is, or how it ended. */
export function viewTask(
  t: Translator,
  format: Formats,
  has: (key: string) => boolean,
  { kind, now, step, done, total, startedAt }: ChainTask,
): TaskView {
  const when = format.moment(startedAt);
  const base = {
    running: now.state === 'running',
    title: t(RUNNING[kind], { when }),
    step: step === '' ? '' : t(`security.step.${step}`),
    done,
    total: total ?? 0,
    notice: null,
  };
  switch (now.state) {
    case 'running':
      return base;
    case 'failed':
      return { ...base, notice: requestFailed(t, now.failure, has) };
    case 'done': {
      const { result } = now;
      if ('installed' in result) {
        const count = result.installed.length;
        const title = t('security.packages.done', { count, when });
        const paragraphs = [t('security.packages.next')];
        return { ...base, notice: { kind: 'ok', role: 'status', title, paragraphs } };
      }
      if (!('proof' in result)) {
        const title = t(`security.updated.${result.done[0]}`, { when });
        return { ...base, notice: { kind: 'ok', role: 'status', title, paragraphs: [] } };
      }
      const wrong = result.proof.filter(({ ok }) => !ok);
      const lines = result.proof.map(({ key, values, ok }) =>
        t(ok ? 'saved.proofOk' : 'saved.proofNot', { step: t(key, values) }),
      );
      const notice: Notice = {
        kind: wrong.length === 0 ? 'ok' : 'bad',
        role: 'status',
        title: t(wrong.length === 0 ? 'security.task.done' : 'security.task.notDone', { when }),
        paragraphs:
          wrong.length === 0
            ? [t('security.task.did', { count: result.done.length })]
            : wrong.map(({ key, values }) => t(`helper.${key}`, values)),
        points: result.done.map((one) => t(`security.did.${one}`)),
        details: { summary: t('saved.proof'), text: lines.join('\n') },
      };
      return { ...base, notice };
    }
  }
}
