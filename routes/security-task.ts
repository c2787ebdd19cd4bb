/** What takes long on the pages of Security, as the part of a page that asks for itself anew. */
import type { Request, Response } from 'express';
import type { TaskView } from '../lib/security/view.js';
import type { Pages } from '../lib/web/page.js';

export interface TaskPlaces {
  /** Where the part itself is to be had. */
  readonly taskHref: string;
  /** The page that it stands on. */
  readonly taskPage: string;
}

/** Once it has ended, what else stands on the page is out of date: it is told so. */
export function sendTask(
  pages: Pages,
  req: Request,
  res: Response,
  task: TaskView | null,
  places: TaskPlaces,
): void {
  if (!task?.running) res.set('HX-Trigger', 'security-changed');
  pages.part(req, res, 'security/task-part', { task, ...places });
}
