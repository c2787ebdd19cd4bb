/** Rows of the database as settings in words, for the history. */
import { BASE_FIELDS, baseWords } from '../base/words.js';
import type { BaseSettings } from '../base/schema.js';
import type { Row, TouchedRow } from '../changes/change.js';
import type { Translator } from '../i18n.js';
import type { SecuritySettings } from '../security/schema.js';
import { SECURITY_FIELDS, securityWords } from '../security/words.js';
import type { SmarthostSettings } from '../smarthost/schema.js';
import { SMARTHOST_FIELDS, smarthostWords } from '../smarthost/words.js';
import type { TlsSettings } from '../tls/schema.js';
import { TLS_FIELDS, tlsWords } from '../tls/words.js';
import type { SettingRow } from '../web/preview.js';

/** Columns that say nothing about the settings. */
const BOOKKEEPING = new Set(['id', 'version', 'updated_at', 'updated_by', 'created_at']);

/** A setting of a row: what it is called and what it says. */
interface Setting {
  readonly label: string;
  readonly value: string;
}

type Describe = (t: Translator, row: Row) => readonly Setting[];

/** Sections whose one row has words of its own. */
const KNOWN: Readonly<Record<string, Describe>> = {
  'mail_settings/base': (t, row) => {
    const settings = row['value'] as BaseSettings;
    return BASE_FIELDS.map((field) => {
      const { key, values } = baseWords(field, settings);
      return { label: t(`base.field.${field}`), value: t(key, values) };
    });
  },
  'mail_settings/tls': (t, row) => {
    const settings = row['value'] as TlsSettings;
    return TLS_FIELDS.map((field) => {
      const { key, values } = tlsWords(field, settings);
      return { label: t(`tls.field.${field}`), value: t(key, values) };
    });
  },
  'mail_settings/security': (t, row) => {
    const settings = row['value'] as SecuritySettings;
    return SECURITY_FIELDS.map((field) => {
      const { key, values } = securityWords(field, settings);
      return { label: t(`security.field.${field}`), value: t(key, values) };
    });
  },
  'mail_settings/smarthost': (t, row) => {
    const { password, ...others } = row['value'] as SmarthostSettings & { password: unknown };
    const settings = { ...others, password: '' };
    return SMARTHOST_FIELDS.map((field) => {
      const { key, values } = smarthostWords(field, settings);
      const value = field === 'password' ? secretText(t, password) : t(key, values);
      return { label: t(`smarthost.field.${field}`), value };
    });
  },
};

/** What the rows of a change said before and after; only what differs. */
export function settingRows(
  t: Translator,
  has: (key: string) => boolean,
  rows: readonly TouchedRow[],
): readonly SettingRow[] {
  return rows.flatMap((row) => {
    const describe = KNOWN[`${row.table}/${row.id}`] ?? plain(has);
    const before = row.before === null ? [] : describe(t, row.before);
    const after = row.after === null ? [] : describe(t, row.after);
    const labels = [...new Set([...before, ...after].map(({ label }) => label))];
    const valueOf = (settings: readonly Setting[], label: string): string =>
      settings.find((setting) => setting.label === label)?.value ?? '';
    return labels
      .map((label) => ({ label, before: valueOf(before, label), after: valueOf(after, label) }))
      .filter(({ before: old, after: now }) => old !== now);
  });
}

/** Any other row: its columns, and the keys of its one JSON column, each named where there is a name. */
function plain(has: (key: string) => boolean): Describe {
  return (t, row) => {
    const columns = Object.entries(row).flatMap(([name, value]) =>
      name === 'value' && isRecord(value) && !isMask(value)
        ? Object.entries(value)
        : [[name, value] as const],
    );
    return columns
      .filter(([name]) => !BOOKKEEPING.has(name))
      .map(([name, value]) => {
        const key = `history.setting.${name}`;
        return { label: has(key) ? t(key) : name, value: valueText(t, value) };
      });
  };
}

/** A password says no more than whether there is one, and whether it is another one. */
function secretText(t: Translator, mask: unknown): string {
  const secret = isMask(mask) ? mask.secret : 'none';
  return t(`smarthost.value.password.${secret}`);
}

function valueText(t: Translator, value: unknown): string {
  if (value === null || value === undefined || value === '') return '';
  if (typeof value === 'boolean') return t(value ? 'history.value.yes' : 'history.value.no');
  if (isMask(value)) return value.secret === 'none' ? '' : t('history.value.secret');
  if (Array.isArray(value)) return value.map((item) => valueText(t, item)).join(', ');
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What stands in the history in place of a secret. */
function isMask(value: unknown): value is { readonly secret: string } {
  return isRecord(value) && typeof value['secret'] === 'string' && Object.keys(value).length <= 2;
}
