/** What the pages of the queries have in common. */
import type { Request } from 'express';
import { isGood } from '../lib/fetcher/status.js';
import { viewLook, type LookView } from '../lib/fetchmail/look-view.js';
import type { Run } from '../lib/fetchmail/runs.js';
import { viewResult, viewTest, type StatusView } from '../lib/fetchmail/status-view.js';
import { requestFailed } from '../lib/web/helper-notices.js';
import type { Notice } from '../lib/web/notice.js';
import type { PageInfo } from '../lib/web/page.js';
import type { Web } from '../lib/web/web.js';

export const FETCHMAIL_PATH = '/fetchmail';

export function fetchmailPage(
  { pages }: Web,
  req: Request,
  view: string,
  tab: 'fetchmail' | 'new',
  status = 200,
): PageInfo {
  const t = pages.translator(req);
  const editing = tab === 'new' ? 'fetchmail.tab.new' : 'fetchmail.edit.title';
  return {
    view: `fetchmail/${view}`,
    title: t(view === 'edit' ? editing : 'fetchmail.title'),
    heading: t('fetchmail.title'),
    menu: 'fetchmail',
    tab,
    status,
    failed: status >= 400,
  };
}

export interface RunView {
  readonly running: boolean;
  /** Where the part asks for itself. */
  readonly href: string;
  readonly title: string;
  readonly lines: readonly string[];
  readonly answer: (StatusView & { readonly points: readonly string[] }) | null;
  readonly notice: Notice | null;
  readonly look: LookView | null;
}

/** A test or a fetch as its page shows it. */
export function viewRun({ pages, has }: Web, req: Request, run: Run, server: string): RunView {
  const t = pages.translator(req);
  const base = {
    running: false,
    href: `${req.baseUrl}${FETCHMAIL_PATH}/run/${run.id}`,
    title: t(`fetchmail.run.${run.kind}`, { name: run.name === '' ? server : run.name }),
    lines: run.lines,
    answer: null,
    notice: null,
    look: null,
  };
  switch (run.now.state) {
    case 'running':
      return { ...base, running: true };
    case 'failed':
      return { ...base, notice: requestFailed(t, run.now.failure, has) };
    case 'done': {
      const { result, looked } = run.now;
      if (run.kind === 'look' && isGood(result.outcome) && looked !== null && run.about !== null) {
        return { ...base, look: viewLook(t, looked, run.about) };
      }
      if (run.kind === 'test') return { ...base, answer: viewTest(t, server, result) };
      const points =
        isGood(result.outcome) || result.detail === ''
          ? []
          : [t('fetchmail.said', { detail: result.detail })];
      return { ...base, answer: { ...viewResult(t, server, result), points } };
    }
  }
}
