/** What became of a mail that a scanner had to find, in words. Pure. */
import type { Formats } from '../formats.js';
import type { Translator } from '../i18n.js';
import type { Notice } from '../web/notice.js';
import type { SelfTestResult, SelfTestTask } from './service.js';
import { viewProgress, type TaskView } from './view.js';
import type { SelfTest } from './work.js';

/** What nobody should have to look at twice is green; what came through although it is on is red. */
const KINDS: Readonly<Record<SelfTestResult['outcome'], Notice['kind']>> = {
  refused: 'ok',
  kept: 'ok',
  marked: 'ok',
  passed: 'bad',
  unchecked: 'bad',
  delivered: 'info',
  waiting: 'warn',
  notTaken: 'warn',
  lost: 'warn',
};

/** `pageOf` gives the address of one of our pages. */
export function viewSelfTest(
  t: Translator,
  format: Formats,
  has: (key: string) => boolean,
  pageOf: (path: string) => string,
  what: SelfTest,
  task: SelfTestTask,
): TaskView {
  const when = format.moment(task.startedAt);
  const title = t(`security.selfTest.running.${what}`, { when });
  return viewProgress(t, has, task, title, (result) =>
    noticeOf(t, format, pageOf, what, when, result),
  );
}

function noticeOf(
  t: Translator,
  format: Formats,
  pageOf: (path: string) => string,
  what: SelfTest,
  when: string,
  { outcome, recipient, reply, queueId, keptAs, score, milliseconds }: SelfTestResult,
): Notice {
  const key = `security.selfTest.${outcome}`;
  const link =
    keptAs !== ''
      ? { href: pageOf(`/security/quarantine/${keptAs}`), text: t('security.selfTest.see.kept') }
      : outcome === 'waiting'
        ? { href: pageOf('/queue'), text: t('security.selfTest.see.queue') }
        : null;
  return {
    kind: KINDS[outcome],
    role: 'status',
    title: t(`${key}.title`, { what }),
    paragraphs: [t(`${key}.text`, { what, recipient })],
    points: [
      t('security.selfTest.fact.sent', { recipient, when }),
      t('security.selfTest.fact.took', { seconds: format.number(milliseconds / 1000, 1) }),
      ...(score === null
        ? []
        : [t('security.selfTest.fact.score', { score: format.number(score, 1) })]),
      ...(queueId === '' ? [] : [t('smarthost.trial.queueId', { queueId })]),
    ],
    ...(link === null ? {} : { link }),
    ...(reply === '' ? {} : { details: { summary: t('security.selfTest.reply'), text: reply } }),
  };
}
