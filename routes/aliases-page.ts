/** What the pages of the aliases have in common. */
import type { Request } from 'express';
import { displayAddress } from '../lib/aliases/address.js';
import type { Health } from '../lib/aliases/health.js';
import type { Translator } from '../lib/i18n.js';
import type { AliasesService } from '../lib/aliases/service.js';
import { helperAway } from '../lib/web/helper-notices.js';
import type { Notice } from '../lib/web/notice.js';
import type { PageInfo } from '../lib/web/page.js';
import type { Web } from '../lib/web/web.js';

export const ALIASES_PATH = '/aliases';
export const ROUTE_PATH = '/route';
/** Has the mail server read the system's own aliases. */
export const SYSTEM_PATH = `${ALIASES_PATH}/system`;

/** The page that says where mail to an address goes. */
export function routeHref(req: Request, address: string): string {
  return `${req.baseUrl}${ROUTE_PATH}?address=${encodeURIComponent(address)}`;
}

export function aliasesPage(
  { pages }: Web,
  req: Request,
  view: string,
  tab: 'list' | 'new' | 'transfer' | 'route',
  status = 200,
): PageInfo {
  const t = pages.translator(req);
  const titles: Readonly<Record<string, string>> = {
    edit: tab === 'new' ? 'aliases.edit.titleNew' : 'aliases.edit.title',
    transfer: 'aliases.tab.transfer',
    import: 'aliases.import.title',
  };
  return {
    view: `aliases/${view}`,
    title: t(titles[view] ?? 'aliases.title'),
    heading: t('aliases.title'),
    menu: 'aliases',
    tab,
    status,
    failed: status >= 400,
  };
}

/** Says when the helper is away: targets and system aliases are as they were known last. */
export async function standingOfAliases(
  { pages, has }: Web,
  req: Request,
  service: AliasesService,
): Promise<readonly Notice[]> {
  const { view, failure } = await service.machine();
  if (failure === null) return [];
  return [helperAway(pages.translator(req), pages.formats(req), failure.toFailure(), view, has)];
}

/** What the list shows of the system's own aliases does not hold yet. */
export function unreadNotice({ pages }: Web, req: Request): Notice {
  const t = pages.translator(req);
  const href = req.baseUrl + SYSTEM_PATH;
  return {
    ...{ kind: 'warn', title: t('aliases.unread.title') },
    paragraphs: [t('aliases.unread.text')],
    ...(pages.may(req, 'mail.admin')
      ? { action: { href, text: t('aliases.unread.read'), fields: [] } }
      : {}),
  };
}

/** The state of an alias as a label, with the sentence that says what it means. */
export function viewHealth(t: Translator, health: Health): Record<string, string> {
  const { state, dead, toAdmin, hidden, circle } = health;
  const kinds = { fine: 'ok', off: 'off', hides: 'warn', foreign: 'warn' } as const;
  const values = {
    targets: [...dead, ...toAdmin].map(displayAddress).join(', '),
    user: hidden ?? '',
    way: circle.map(displayAddress).join(' → '),
  };
  return {
    kind: state in kinds ? kinds[state as keyof typeof kinds] : 'bad',
    word: t(`aliases.state.${state}`),
    text: meaningOf(t, health, values),
  };
}

function meaningOf(
  t: Translator,
  { state, toAdmin, inSystem }: Health,
  values: Record<string, string>,
): string {
  if (inSystem) return t('aliases.meaning.systemLoop', values);
  if (state !== 'fine') return t(`aliases.meaning.${state}`, values);
  return toAdmin.length === 0 ? '' : t('aliases.meaning.toAdmin', values);
}
