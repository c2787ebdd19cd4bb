import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, before, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Knex } from 'knex';
import { createChanges } from '../../lib/changes/service.js';
import { exportDatabase } from '../../lib/database/transfer/export.js';
import { importDatabase } from '../../lib/database/transfer/import.js';
import type { TransferSet } from '../../lib/database/transfer/format.js';
import { mailSchema, PASSING_TABLES } from '../../lib/database/mail-schema.js';
import { addDomains, readDomains } from '../../lib/domains/store.js';
import { readSettings } from '../../lib/settings/store.js';
import { engines, type Databases } from '../support/databases.js';
import { createFakeHelper } from '../support/fake-helper.js';
import { saveBase, saveDomains, saveRelay, testSources } from '../support/intents.js';
import { silentLog } from '../support/log.js';

const SETS: readonly TransferSet[] = [{ ...mailSchema, prefix: 'mail_', passing: PASSING_TABLES }];

const CLI = fileURLToPath(new URL('../../lib/console/database-cli.js', import.meta.url));

/** Everything that a careless writer of lines or of SQL would stumble over. */
const HOSTILE = [
  'line\nfeed\r\ncarriage\rreturn',
  'separators \u2028 \u2029 \u0085',
  'tab\tescape\u001b[2J bell\u0007',
  `quotes ' " \\ \\n \` $1 :x ? ??`,
  '{"row":{}}\n{"end":true}',
  "'; drop table mail_settings; --",
  'Grüße, 你好, שלום, 😀, e\u0301',
  '\uFEFFmark',
  ' '.repeat(1000),
  '',
];

async function exportText(db: Knex): Promise<string> {
  const stream = new PassThrough();
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await exportDatabase(db, stream, SETS);
  return Buffer.concat(chunks).toString();
}

function importText(db: Knex, text: string, replace = true) {
  return importDatabase(db, [Buffer.from(text)], SETS, { replace });
}

/** The file with these lines and a digest that fits them: damage that only a closer look finds. */
function resealed(lines: readonly string[]): string {
  const body = lines.map((line) => `${line}\n`).join('');
  const counts: Record<string, number> = {};
  let table = '';
  for (const line of lines) {
    const value = JSON.parse(line) as { table?: string; row?: object };
    if (value.table) counts[(table = value.table)] = 0;
    if (value.row) counts[table] = (counts[table] ?? 0) + 1;
  }
  const digest = createHash('sha256').update(body).digest('hex');
  return `${body}${JSON.stringify({ end: true, counts, digest })}\n`;
}

describe('export and import', () => {
  let embedded: Databases;
  let server: Databases;
  let text: string;
  let lines: string[];
  let original: Knex;

  before(async () => {
    embedded = await engines['the embedded database']!();
    server = await engines['a PostgreSQL server']!();
    original = await embedded.fresh();
    const changes = createChanges({
      db: original,
      helper: createFakeHelper(),
      sources: testSources,
      log: silentLog,
    });
    let version = 0;
    for (const value of HOSTILE) {
      await changes.save(saveBase(value, version));
      version = (await readSettings(original, 'base'))!.version;
    }
    await changes.save(saveRelay({ host: 'a.example', password: 'BOX-ONE' }, 0));
    const many = Array.from({ length: 450 }, (_, index) => `d${index}.example`);
    await changes.save(saveDomains(many));
    await original('mail_settings').insert({
      id: 'big',
      value: JSON.stringify({ text: 'x\n'.repeat(1024 * 1024), number: 1e-7 }),
      updated_by: 'ä',
    });
    await original.raw(
      `update mail_settings set value = '{"exact": 12345678901234567890.5}' where id = 'relay'`,
    );
    text = await exportText(original);
    lines = text.trimEnd().split('\n').slice(0, -1);
  });
  after(async () => {
    await embedded.stop();
    await server.stop();
  });

  async function contents(db: Knex): Promise<unknown> {
    const tables = ['mail_settings', 'mail_domains', 'mail_changes', 'mail_change_rows'];
    const all: unknown[] = [];
    for (const table of tables) {
      const rows: { rows: { row: string }[] } = await db.raw(
        'select to_jsonb(t.*)::text as row from ?? t order by 1',
        [table],
      );
      all.push(rows.rows.map(({ row }) => row));
    }
    return all;
  }

  it('carries every value to a server and back again, to the last digit', async () => {
    const before = await contents(original);
    const target = await server.fresh();
    const counts = await importText(target, text);
    assert.equal(counts.mail_domains, 450);
    assert.deepEqual(await contents(target), before);

    const back = await exportText(target);
    await importText(original, back);
    assert.deepEqual(await contents(original), before);
    assert.deepEqual(
      back
        .split('\n')
        .slice(1, -2)
        .filter((line) => !line.includes('database-id'))
        .sort(),
      lines
        .slice(1)
        .filter((line) => !line.includes('database-id'))
        .sort(),
    );
  });

  it('goes on counting where the exported database was', async () => {
    const target = await server.fresh();
    await importText(target, text);
    const helper = createFakeHelper();
    const changes = createChanges({ db: target, helper, sources: testSources, log: silentLog });
    const { version } = (await readSettings(target, 'base'))!;
    const change = await changes.save({ ...saveBase('next.example', version), adopt: true });
    assert.equal(change.number, HOSTILE.length + 3);
    await target.transaction((trx) => addDomains(trx, ['new.example'], 'anna'));
    assert.equal((await readDomains(target))?.length, 451);
  });

  it('gives the database a new identity', async () => {
    const target = await server.fresh();
    const identity = () =>
      target('mail_meta').where('key', 'database-id').first<{ value: string }>();
    await importText(target, text);
    const first = await identity();
    await importText(target, text);
    assert.notEqual((await identity()).value, first.value);
    assert.ok(!text.includes(first.value));
  });

  describe('of a file that is not right', () => {
    let target: Knex;
    let before: unknown;

    beforeEach(async () => {
      target = await server.fresh();
      await target('mail_domains').insert({ name: 'mine.example', updated_by: 'anna' });
      before = await contents(target);
    });

    const row = (part: string) => lines.findIndex((line) => line.includes(part));
    const cases: Readonly<Record<string, () => { file: string; line: number; why: RegExp }>> = {
      'is empty': () => ({ file: '', line: 1, why: /empty/ }),
      'is something else': () => ({ file: 'root:x:0:0\n', line: 1, why: /not JSON/ }),
      'is other JSON': () => ({ file: '{"a":1}\n', line: 1, why: /no export of this program/ }),
      'is of a newer format': () => ({
        file: [lines[0]!.replace('"version":1', '"version":2'), ...lines.slice(1)].join('\n'),
        line: 1,
        why: /newer/,
      }),
      'is of a newer program': () => ({
        file: [lines[0]!.replace('"001-core"', '"001-core","999-later"'), ...lines.slice(1)].join(
          '\n',
        ),
        line: 1,
        why: /newer/,
      }),
      'holds foreign tables': () => ({
        file: [
          lines[0]!.replace('"mail_migrations"', '"their_migrations":["1"],"mail_migrations"'),
          ...lines.slice(1),
        ].join('\n'),
        line: 1,
        why: /nobody here knows/,
      }),
      'is cut off between two lines': () => ({
        file: `${lines.slice(0, 40).join('\n')}\n`,
        line: 40,
        why: /cut off/,
      }),
      'is cut off within a line': () => ({
        file: text.slice(0, text.indexOf('d7.example')),
        line: row('d7.example') + 1,
        why: /cut off/,
      }),
      'has one letter changed': () => ({
        file: text.replace('d7.example', 'd8.eXample'),
        line: lines.length + 1,
        why: /digest/,
      }),
      'lacks a row': () => {
        const without = lines.filter((line) => !line.includes('"d7.example"'));
        return {
          file: [...without, text.trimEnd().split('\n').at(-1)!, ''].join('\n'),
          line: without.length + 1,
          why: /digest/,
        };
      },
      'lacks a table': () => {
        const without = lines.filter((line) => !line.includes('"mail_domain_checks"'));
        return {
          file: resealed(without),
          line: without.length + 1,
          why: /mail_domain_checks is missing/,
        };
      },
      'holds NUL': () => ({
        file: resealed(lines.map((line) => line.replace('d7.example', 'd7\\u0000'))),
        line: row('d7.example') + 1,
        why: /does not fit|damaged/,
      }),
      'holds the same name twice': () => ({
        file: resealed(lines.map((line) => line.replace('"d7.example"', '"d6.example"'))),
        line: Math.max(row('"d7.example"'), row('"d6.example"')) + 1,
        why: /does not fit into mail_/,
      }),
      'has a column too many': () => ({
        file: resealed(
          lines.map((line) =>
            line.replace('"name": "d7.example"', '"evil": 1, "name": "d7.example"'),
          ),
        ),
        line: row('"name": "d7.example"') + 1,
        why: /other columns/,
      }),
      'is not UTF-8': () => ({ file: '', line: 1, why: /not UTF-8/ }),
      'goes on after its end': () => ({
        file: `${text}{"row":{}}\n`,
        line: lines.length + 2,
        why: /follows the end/,
      }),
    };

    for (const [what, make] of Object.entries(cases)) {
      it(`(${what}) is refused with its line, and the database stays as it was`, async () => {
        const { file, line, why } = make();
        const bytes = what === 'is not UTF-8' ? Buffer.from([0xff, 0xfe, 0x0a]) : Buffer.from(file);
        await assert.rejects(importDatabase(target, [bytes], SETS, { replace: true }), (error) => {
          assert.match((error as Error).message, why);
          assert.equal((error as { line?: number }).line, line);
          return true;
        });
        assert.deepEqual(await contents(target), before);
      });
    }

    it('is not needed: a database that is in use is refused without --replace', async () => {
      await assert.rejects(importText(target, text, false), /--replace/);
      assert.deepEqual(await contents(target), before);
    });
  });

  it('works from the command line, into a file that only its owner may read', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mailserver-transfer-'));
    try {
      const one = join(folder, 'one');
      const two = join(folder, 'two');
      const file = join(folder, 'export.jsonl');
      assert.equal((await cli(one, 'export', file)).code, 0);
      assert.equal(statSync(file).mode & 0o777, 0o600);
      assert.equal((await cli(two, 'import', file)).code, 0);
      const again = await cli(two, 'import', file);
      assert.equal(again.code, 1);
      assert.match(again.errors, /--replace/);
      writeFileSync(file, readFileSync(file, 'utf8').slice(0, -10));
      const damaged = await cli(two, 'import', file, '--replace');
      assert.equal(damaged.code, 1);
      assert.match(damaged.errors, /line \d+: the file is cut off/);
      assert.match((await cli(two, 'erase')).errors, /usage/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

function cli(stateDir: string, ...args: string[]): Promise<{ code: number; errors: string }> {
  return new Promise((resolve) => {
    const env = { MAILSERVER_STATE: stateDir };
    const child = execFile(process.execPath, [CLI, ...args], { env }, (_error, _output, errors) => {
      resolve({ code: child.exitCode ?? -1, errors });
    });
  });
}
