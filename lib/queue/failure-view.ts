/** What could not be done with the queue, in words. */
import type { HelperFailure } from '../errors.js';
import type { Translator } from '../i18n.js';
import type { Notice } from '../web/notice.js';

/** What was asked of the helper: to read the queue, to read one message, to act. */
export type Asked = 'list' | 'show' | 'act';

/** `shown`: when the list below was read; '' when there is none. */
export function failureNotice(
  t: Translator,
  has: (key: string) => boolean,
  { key, values, detail }: HelperFailure,
  { asked, shown }: { readonly asked: Asked; readonly shown: string },
): Notice {
  const paragraphs = [
    has(key) ? t(key, values) : t('helper.unnamed'),
    ...(shown === '' ? [] : [t('queue.failed.shown', { time: shown })]),
    t('queue.failed.meaning'),
  ];
  return {
    kind: asked === 'list' ? 'warn' : 'bad',
    ...(asked === 'act' ? { role: 'alert', focus: true } : {}),
    title: t(`queue.failed.${asked}`),
    paragraphs,
    ...(detail.trim() === ''
      ? {}
      : { details: { summary: t('helper.details'), text: detail.trim() } }),
  };
}
