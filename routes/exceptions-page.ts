/** What the pages of the exceptions have in common. */
import type { Request } from 'express';
import type { ExceptionsService } from '../lib/exceptions/service.js';
import type { StoredException } from '../lib/exceptions/store.js';
import { displayException } from '../lib/exceptions/value.js';
import { helperAway } from '../lib/web/helper-notices.js';
import type { Notice } from '../lib/web/notice.js';
import type { PageInfo } from '../lib/web/page.js';
import { writeRowKey } from '../lib/web/row-keys.js';
import type { Web } from '../lib/web/web.js';

export const EXCEPTIONS_PATH = '/security/exceptions';

const VIEWS = {
  index: 'exceptions/index',
  edit: 'exceptions/edit',
  new: 'exceptions/edit',
  remove: 'exceptions/remove',
} as const;
export type ExceptionsView = keyof typeof VIEWS;

export function exceptionsPage(
  { pages }: Web,
  req: Request,
  view: ExceptionsView,
  status = 200,
): PageInfo {
  const t = pages.translator(req);
  return {
    view: VIEWS[view],
    title: t(view === 'index' ? 'exceptions.title' : `exceptions.title.${view}`),
    heading: t('security.title'),
    menu: 'security',
    tab: 'exceptions',
    status,
    failed: status >= 400,
  };
}

/** Says when nothing can be applied now. */
export async function standingOfExceptions(
  { pages, has }: Web,
  req: Request,
  service: ExceptionsService,
): Promise<{ readonly notices: readonly Notice[]; readonly possible: boolean }> {
  const { view, failure } = await service.machine();
  if (failure === null) return { notices: [], possible: true };
  const t = pages.translator(req);
  const notice = helperAway(t, pages.formats(req), failure.toFailure(), view, has);
  return { notices: [notice], possible: false };
}

export interface ExceptionRowView {
  readonly id: string;
  readonly key: string;
  readonly shown: string;
  readonly kind: string;
  readonly note: string;
  readonly enabled: boolean;
  readonly added: string;
  readonly href: string;
}

export function viewException(
  { pages }: Web,
  req: Request,
  { id, version, value, kind, note, enabled, updatedAt, updatedBy }: StoredException,
): ExceptionRowView {
  const t = pages.translator(req);
  const when = pages.formats(req).moment(updatedAt);
  return {
    ...{ id, note, enabled },
    key: writeRowKey({ id, version }),
    shown: displayException(value),
    kind: t(`exceptions.kind.${kind}`),
    added: t('exceptions.addedBy', { when, who: updatedBy }),
    href: `${req.baseUrl}${EXCEPTIONS_PATH}/${id}`,
  };
}
