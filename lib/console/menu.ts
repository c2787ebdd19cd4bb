/** The accordion menu: one group per plugin, made from its `plugin.json`, and the console's own. */
import type { I18n, Translator } from '../i18n.js';
import type { Manifest } from '../manifest.js';
import type { Account, ConsoleRole } from './accounts/schema.js';

export interface MenuEntry {
  readonly id: string;
  readonly label: string;
  readonly href: string;
  readonly current: boolean;
}

export interface MenuGroup {
  readonly label: string;
  readonly open: boolean;
  readonly entries: readonly MenuEntry[];
}

/** A plugin as the menu sees it: its manifest and its own words. */
export interface MenuPlugin {
  readonly manifest: Manifest;
  readonly i18n: I18n;
}

const OWN_ENTRIES: readonly {
  readonly id: string;
  readonly label: string;
  readonly href: string;
  readonly role: ConsoleRole | null;
}[] = [
  {
    id: 'accounts',
    label: 'console.accounts.menu',
    href: '/accounts',
    role: 'console.admin',
  },
  {
    id: 'network',
    label: 'console.network.menu',
    href: '/network',
    role: 'console.admin',
  },
  { id: 'account', label: 'console.account.menu', href: '/account', role: null },
];

/** What this account may open; groups without entries are left out. */
export function buildMenu(
  plugins: readonly MenuPlugin[],
  t: Translator,
  account: Account,
  current: string,
): readonly MenuGroup[] {
  const may = (role: ConsoleRole | null): boolean => role === null || account.roles.includes(role);
  const own: MenuGroup = group(
    t('console.menu.console'),
    OWN_ENTRIES.filter(({ role }) => may(role)).map(({ id, label, href }) => ({
      id,
      label: t(label),
      href,
      current: current === id,
    })),
  );
  const theirs = plugins.map(({ manifest, i18n }) => {
    const words = i18n.translator(t.language);
    const entries = manifest.menu
      .filter(({ role }) => may(role))
      .toSorted((a, b) => a.order - b.order)
      .map(({ id, label, path }) => ({
        id: `${manifest.id}/${id}`,
        label: words(label),
        href: path === '/' ? manifest.mount : manifest.mount + path,
        current: current === `${manifest.id}/${id}`,
      }));
    return group(words(manifest.name), entries);
  });
  const groups = [...theirs, own].filter(({ entries }) => entries.length > 0);
  // On a page that stands in no menu the first group is open, so that there is a way on.
  const found = groups.some(({ open }) => open);
  return groups.map((one, index) => ({ ...one, open: one.open || (!found && index === 0) }));
}

function group(label: string, entries: readonly MenuEntry[]): MenuGroup {
  return { label, entries, open: entries.some(({ current }) => current) };
}
