/** What every route needs of the house: the host, pages, texts. */
import type { Request } from 'express';
import type { Changes } from '../changes/service.js';
import type { Host } from '../contract.js';
import type { I18n } from '../i18n.js';
import type { Manifest } from '../manifest.js';
import type { Assets } from './assets.js';
import type { Machine } from '../machine/service.js';
import type { Notice } from './notice.js';
import { createPages, type Pages } from './page.js';
import { savedNotice } from './saved-notice.js';
import { editedNotices } from './standing-notices.js';
import type { Views } from './views.js';

/** How old what is known of hand edits may be, in milliseconds. */
const EDITED_AGE_MS = 3_000;

export interface Web {
  readonly host: Host;
  readonly pages: Pages;
  /** Whether there is a text with this key. */
  readonly has: (key: string) => boolean;
  /** Whether the menu or its tabs lead to this path. */
  readonly offers: (path: string) => boolean;
  /** What the save that led here did, for the top of the page. */
  readonly saved: (req: Request) => Promise<readonly Notice[]>;
  /** That something a section looks after was edited by hand, for pages without other notices about the machine. */
  readonly edited: (req: Request, section: string) => Promise<readonly Notice[]>;
}

export function createWeb(parts: {
  readonly host: Host;
  readonly i18n: I18n;
  readonly views: Views;
  readonly assets: Assets;
  readonly manifest: Manifest;
  readonly changes: Pick<Changes, 'glance'>;
  readonly machine: Machine;
}): Web {
  const pages = createPages(parts);
  const has = (key: string): boolean => parts.i18n.has(key);
  return {
    host: parts.host,
    pages,
    has,
    offers: (path) =>
      parts.manifest.menu.some(
        (entry) => entry.path === path || entry.tabs?.some((tab) => tab.path === path),
      ),
    saved: async (req) => {
      const notice = await savedNotice(pages, parts.changes, has, req);
      return notice === null ? [] : [notice];
    },
    edited: async (req, section) => {
      const { view } = await parts.machine.glance(EDITED_AGE_MS);
      return editedNotices(pages.translator(req), view, section, req.baseUrl);
    },
  };
}
