/** What the administrator should know about the queue, in words. */
import type { Notice } from '../web/notice.js';
import type { ViewParts } from './list-view.js';
import { queryParams } from './query.js';
import { safeLine } from './safe-text.js';
import type { QueueNotice } from './watch.js';

export function noticeView({ t, format, path }: ViewParts, notice: QueueNotice): Notice {
  const { kind, key, values, bytes, show, since, cause } = notice;
  const words = {
    ...Object.fromEntries(
      Object.entries(values).map(([name, value]) => [
        name,
        typeof value === 'string' ? safeLine(value) : value,
      ]),
    ),
    ...Object.fromEntries(
      Object.entries(bytes).map(([name, value]) => [name, format.bytes(value)]),
    ),
    ...(since === null ? {} : { since: format.moment(since) }),
    ...(cause === null
      ? {}
      : { cause: t(`queue.cause.${cause}.title`), todo: t(`queue.cause.${cause}.todo`) }),
  };
  const params = queryParams(show).toString();
  return {
    kind,
    title: t(key, words),
    paragraphs: [t(`${key}.meaning`, words)],
    link:
      params === ''
        ? { href: path, text: t('queue.back') }
        : { href: `${path}?${params}`, text: t('queue.notice.show') },
  };
}
