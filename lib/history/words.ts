/** Rows of the database as settings in words, for the history. */
import { BASE_FIELDS, baseWords } from '../base/words.js';
import type { BaseSettings } from '../base/schema.js';
import type { Row, TouchedRow } from '../changes/change.js';
import { toUnicodeDomain } from '../domains/schema.js';
import { FORM_FIELDS } from '../fetchmail/form.js';
import { protocolName } from '../fetchmail/list-view.js';
import type { FetchProtocol } from '../fetchmail/schema.js';
import type { Translator } from '../i18n.js';
import type { PolicySettings } from '../policy/schema.js';
import { POLICY_FIELDS, policyWords } from '../policy/words.js';
import type { SecuritySettings } from '../security/schema.js';
import { SECURITY_FIELDS, securityWords } from '../security/words.js';
import type { SmarthostSettings } from '../smarthost/schema.js';
import { SMARTHOST_FIELDS, smarthostWords } from '../smarthost/words.js';
import type { TlsSettings } from '../tls/schema.js';
import { TLS_FIELDS, tlsWords } from '../tls/words.js';
import type { SettingRow } from '../web/preview.js';

/** Columns that say nothing about the settings. */
const BOOKKEEPING = new Set(['id', 'version', 'updated_at', 'updated_by', 'created_at', 'search']);

/** Whose texts name the columns of a table. */
const FEATURES: Readonly<Record<string, string>> = {
  mail_aliases: 'aliases',
  mail_domains: 'domains',
  mail_exceptions: 'exceptions',
  mail_fetch_queries: 'fetchmail',
  mail_recipients: 'recipients',
  mail_relay_networks: 'relay',
};

type ValueWords = (t: Translator, value: unknown) => string;

const seconds: ValueWords = (t, value) => t('history.value.seconds', { count: Number(value) });

/** By table and column: names that stand elsewhere than the others do. */
const LABELS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  mail_exceptions: { kind: 'exceptions.column.kind' },
  mail_fetch_queries: { dropDelivered: 'fetchmail.dropDelivered', keep: 'fetchmail.keep' },
};

/** By table and column: those that hold one of several choices, or count something. */
const VALUES: Readonly<Record<string, Readonly<Record<string, ValueWords>>>> = {
  mail_domains: { name: (_t, value) => toUnicodeDomain(String(value)) },
  mail_exceptions: { kind: (t, value) => t(`exceptions.kind.${String(value)}`) },
  mail_fetch_queries: {
    certificate: (t, value) => t(`fetchmail.choice.certificate.${String(value)}`),
    destination: (t, value) => t(`fetchmail.choice.destination.${String(value)}`),
    interval: seconds,
    protocol: (t, value) => protocolName(t, value as FetchProtocol),
    sizeLimit: (t, value) => t('history.value.megabytes', { count: Number(value) }),
    ssl: (t, value) => t(`fetchmail.choice.ssl.${String(value)}`),
    timeout: seconds,
  },
};

/** By table: the columns in the order of the form; PostgreSQL sorts the keys of `jsonb` by their length. */
const ORDERS: Readonly<Record<string, readonly string[]>> = {
  mail_aliases: ['name', 'targets', 'note', 'enabled'],
  mail_exceptions: ['value', 'kind', 'note', 'enabled'],
  mail_fetch_queries: FORM_FIELDS,
  mail_relay_networks: ['network', 'note'],
};

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
  'mail_settings/policy': (t, row) => {
    const settings = row['value'] as PolicySettings;
    return POLICY_FIELDS.map((field) => {
      const { key, values } = policyWords(field, settings);
      return { label: t(`policy.field.${field}`), value: t(key, values) };
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
    const describe = KNOWN[`${row.table}/${row.id}`] ?? plain(has, row.table);
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
function plain(has: (key: string) => boolean, table: string): Describe {
  return (t, row) => {
    const columns = Object.entries(row).flatMap(([name, value]) =>
      name === 'value' && isRecord(value) && !isMask(value)
        ? Object.entries(value)
        : [[name, value] as const],
    );
    const order = ORDERS[table] ?? [];
    return columns
      .filter(([column]) => !BOOKKEEPING.has(column))
      .map(([column, value]) => [camelCase(column), value] as const)
      .sort(([a], [b]) => order.indexOf(a) - order.indexOf(b))
      .map(([name, value]) => {
        const own = value === null ? undefined : VALUES[table]?.[name];
        const label = labelKey(has, table, name);
        return {
          label: label === undefined ? name : t(label),
          value: own === undefined ? valueText(t, value) : own(t, value),
        };
      });
  };
}

function labelKey(has: (key: string) => boolean, table: string, name: string): string | undefined {
  const known = [`history.setting.${name}`, `${FEATURES[table] ?? table}.field.${name}`];
  return LABELS[table]?.[name] ?? known.find(has);
}

function camelCase(column: string): string {
  return column.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
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
