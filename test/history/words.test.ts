/** Whatever a change touches is told in words, never by the names of the database. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Row, SettingsSource } from '../../lib/changes/change.js';
import { migrateMail } from '../../lib/database/mail-schema.js';
import { NEW_QUERY } from '../../lib/fetchmail/schema.js';
import { settingRows } from '../../lib/history/words.js';
import { createI18n } from '../../lib/i18n.js';
import { PACKAGE_ROOT } from '../../lib/package-root.js';
import { NO_POLICY } from '../../lib/policy/schema.js';
import { openMemoryDatabase, type MemoryDatabase } from '../support/memory-database.js';

const i18n = createI18n(join(PACKAGE_ROOT, 'locales'), { product: 'Acme' });
const german = i18n.translator('de');

/** What stands in a column when nothing better is said. */
const ANYTHING = 'something';
/** Columns that take one of several words. */
const WORDS: Readonly<Record<string, Row>> = {
  mail_exceptions: { kind: 'domain' },
  mail_fetch_queries: Object.fromEntries(
    Object.entries(NEW_QUERY).map(([name, value]) => [snakeCase(name), value]),
  ),
};

describe('what a change did, in words', () => {
  let database: MemoryDatabase;
  before(async () => {
    database = await openMemoryDatabase();
    await migrateMail(database.db);
  });
  after(() => database.close());

  const told = (table: string, id: string, row: Row) =>
    settingRows(german, (key) => i18n.has(key), [{ table, id, before: null, after: row }]);

  it('names every column of every table that settings stand in', async () => {
    const tables = (await sources()).flatMap((source) => Object.keys(source.tables));
    const listed = tables.filter((table) => !table.includes('/'));
    assert.ok(listed.length >= 6, listed.join(' '));
    for (const table of listed) {
      const columns = Object.keys(await database.db(table).columnInfo());
      const row = Object.fromEntries(columns.map((column) => [column, ANYTHING]));
      const labels = told(table, '1', { ...row, ...WORDS[table] }).map(({ label }) => label);
      assert.ok(labels.length > 0, table);
      const named = new Set(columns.flatMap((column) => [column, camelCase(column)]));
      const bare = labels.filter((label) => named.has(label));
      assert.deepEqual(bare, [], table);
    }
  });

  it('says choices and numbers as the form does, in its order', () => {
    const query = { keep: true, ssl: 'starttls', interval: 300, protocol: 'imap' };
    const text = told('mail_fetch_queries', '1', query).map(({ after: value }) => value);
    assert.deepEqual(text, ['IMAP', german('fetchmail.choice.ssl.starttls'), 'ja', '300 Sekunden']);
    const policy = told('mail_settings', 'policy', { value: { ...NO_POLICY, spf: 'refuse' } });
    const spf = policy.find(({ label }) => label === german('policy.field.spf'));
    assert.equal(spf?.after, german('policy.value.spf.refuse'));
    const [one, other] = ['a.example', 'b.example'].map((zone) => ({ zone, weight: 2 }));
    const lists = (...blockLists: object[]) => ({ value: { ...NO_POLICY, blockLists } });
    const [before, after] = [
      lists({ ...one, enabled: true }),
      lists({ ...one, enabled: true }, { ...other, enabled: false }),
    ];
    const touched = { table: 'mail_settings', id: 'policy', before, after };
    const [row, ...more] = settingRows(german, (key) => i18n.has(key), [touched]);
    assert.deepEqual([row?.before, more], ['a.example (2)', []]);
    assert.match(row?.after ?? '', /ausgeschaltet: b\.example \(2\)/);
  });
});

/** Of every feature that has settings. */
async function sources(): Promise<SettingsSource[]> {
  const lib = join(PACKAGE_ROOT, 'dist/lib');
  const files = readdirSync(lib).map((name) => join(lib, name, 'source.js'));
  const modules = await Promise.all(
    files.filter((file) => existsSync(file)).map((file) => import(file) as Promise<object>),
  );
  return modules.flatMap((module): unknown[] => Object.values(module)).filter(isSource);
}

function isSource(value: unknown): value is SettingsSource {
  return typeof value === 'object' && value !== null && 'section' in value && 'tables' in value;
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function camelCase(column: string): string {
  return column.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
