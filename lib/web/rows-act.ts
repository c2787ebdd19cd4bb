/** What can be done to rows that are switched on and off and removed: asked first, done, or told why not. */
import type { Request, Response } from 'express';
import type { Change } from '../changes/change.js';
import type { RowKey } from '../changes/rows.js';
import { ConflictError, HelperError, NotFoundError, UserError } from '../errors.js';
import { saveFailed } from './helper-notices.js';
import type { Notice } from './notice.js';
import { savedQuery } from './saved-notice.js';
import type { Web } from './web.js';

export interface ActingRows {
  /** What its texts begin with. */
  readonly feature: string;
  /** The list, below the mount point. */
  readonly path: string;
  readonly service: {
    switchAll(keys: readonly RowKey[], enabled: boolean, actor: string): Promise<Change>;
    removeAll(keys: readonly RowKey[], actor: string): Promise<Change>;
  };
  /** The page that asks whether these are to be removed. Throws `NotFoundError` when none is left. */
  readonly ask: (req: Request, res: Response, keys: readonly RowKey[]) => Promise<void>;
  /** The list again, as it is now. */
  readonly show: (
    req: Request,
    res: Response,
    status: number,
    notices: readonly Notice[],
  ) => Promise<void>;
}

/** Answers a request for `ask`, `on`, `off` or `remove`. */
export function actOnRows(
  { pages, has }: Web,
  { feature, path, service, ask, show }: ActingRows,
): (req: Request, res: Response, what: string, keys: readonly RowKey[]) => Promise<void> {
  const act = (what: string, keys: readonly RowKey[], actor: string): Promise<Change> => {
    if (what === 'on' || what === 'off') return service.switchAll(keys, what === 'on', actor);
    if (what === 'remove') return service.removeAll(keys, actor);
    throw new NotFoundError('action');
  };
  return async (req, res, what, keys) => {
    const back = req.baseUrl + path;
    if (keys.length === 0) {
      res.redirect(303, back);
      return;
    }
    try {
      if (what === 'ask') {
        await ask(req, res, keys);
        return;
      }
      const change = await act(what, keys, pages.user(req).login);
      res.redirect(303, back + savedQuery(change));
    } catch (error) {
      const t = pages.translator(req);
      if (error instanceof NotFoundError || error instanceof ConflictError) {
        const [title, text] = [t(`${feature}.gone.title`), t(`${feature}.gone.text`)];
        await show(req, res, 409, [{ kind: 'warn', role: 'alert', title, paragraphs: [text] }]);
      } else if (error instanceof UserError) {
        const paragraphs = error.problems.map(({ key, values }) => t(key, values));
        const title = t('list.refused');
        await show(req, res, 422, [{ kind: 'bad', role: 'alert', title, paragraphs }]);
      } else if (error instanceof HelperError) {
        await show(req, res, 502, [saveFailed(t, error.toFailure(), has)]);
      } else {
        throw error;
      }
    }
  };
}
