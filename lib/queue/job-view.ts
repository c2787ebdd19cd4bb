/** An action on the queue in words: how far it is, or what became of it. */
import type { Formats } from '../formats.js';
import type { Translator } from '../i18n.js';
import { filterWords } from './filter-words.js';
import type { QueueJob } from './store.js';

export interface JobView {
  readonly id: string;
  readonly running: boolean;
  readonly title: string;
  readonly started: string;
  readonly what: string;
  readonly settled: number;
  readonly total: number;
  /** Colour and icon of a finished one. */
  readonly kind: 'ok' | 'warn' | 'bad' | 'info';
  /** What became of the messages, one sentence for each outcome. */
  readonly outcome: readonly string[];
  readonly failures: readonly {
    readonly id: string;
    readonly why: string;
    readonly detail: string;
  }[];
  /** Key of what ended the whole action, '' when nothing did. */
  readonly failureKey: string;
  readonly detail: string;
  readonly href: string;
}

export function viewJob(t: Translator, format: Formats, path: string, job: QueueJob): JobView {
  const { action, done, unchanged, gone, failed, total } = job;
  const running = job.state === 'running';
  const settled = done + unchanged + gone + failed;
  const counted = (name: string, count: number): string[] =>
    count > 0 ? [t(name, { count })] : [];
  const outcome = [
    ...counted(`queue.done.${action}`, done),
    ...counted(`queue.unchanged.${action === 'deliver' ? 'deliver' : 'other'}`, unchanged),
    ...counted('queue.outcome.gone', gone),
    ...counted('queue.outcome.failed', failed),
  ];
  if (outcome.length === 0 && !running) outcome.push(t('queue.outcome.nothing'));
  if (!running && settled < total) {
    outcome.push(t('queue.outcome.untouched', { count: total - settled }));
  }
  return {
    id: job.id,
    running,
    title: running
      ? t(`queue.running.${action}`, { done: format.number(settled), total })
      : t(`queue.ended.${job.state}.${action}`),
    started: t('queue.job.started', { who: job.actor, when: format.ago(job.startedAt) }),
    what:
      job.filter === null
        ? t('queue.job.chosen', { count: total })
        : filterWords(t, format, job.filter),
    settled: Math.min(settled, total),
    total,
    kind: running ? 'info' : kindOf(job),
    outcome,
    failures: job.failures.map(({ id, why, detail }) => ({
      id,
      why: t(`queue.failure.${why}`),
      detail,
    })),
    failureKey: job.failure?.key ?? '',
    detail: job.failure?.detail ?? '',
    href: `${path}/jobs/${job.id}`,
  };
}

function kindOf({ state, failed }: QueueJob): JobView['kind'] {
  if (state === 'failed' || state === 'lost') return 'bad';
  return failed > 0 || state === 'cancelled' ? 'warn' : 'ok';
}
