/** What crosses to the helper with a change of a few rows among many. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Knex } from 'knex';
import type { SettingsSource, TouchedRow } from '../../lib/changes/change.js';
import { requestWithContents } from '../../lib/changes/contents.js';
import { rowsToSend } from '../../lib/changes/row-changes.js';
import { HelperError } from '../../lib/errors.js';
import type { ApplyParams } from '../../lib/privileged/protocol.js';

const TABLE = 'mail_things';
const source: SettingsSource = {
  section: 'things',
  tables: { [TABLE]: { secrets: [] } },
  collect: () => Promise.resolve({ things: ['all', 'of', 'them'] }),
  rows: { table: TABLE, row: ({ id, name }) => ({ id: String(id), name }) },
};
const sources = new Map([['things', source]]);
const touch = (id: string, name: string | null, table = TABLE): TouchedRow => {
  const after = name === null ? null : { id: Number(id), name, version: 3 };
  return { table, id, before: { id: Number(id), name: 'before', version: 2 }, after };
};

describe('the rows of a change', () => {
  it('are sent as they are in the end, with what names the rows the helper has', () => {
    const touched = [
      ...[touch('1', 'first'), touch('2', 'second'), touch('1', null)],
      ...[touch('3', null), touch('3', 'third'), touch('4', 'of another table', 'mail_others')],
    ];
    assert.deepEqual(rowsToSend(sources, ['things', 'base'], touched, { things: 'a name' }), {
      things: {
        base: 'a name',
        set: [
          { id: '2', name: 'second' },
          { id: '3', name: 'third' },
        ],
        gone: ['1'],
      },
    });
  });

  it('are not told apart where nobody knows what the helper has', () => {
    assert.deepEqual(rowsToSend(sources, ['things'], [touch('1', 'first')], {}), {});
  });

  it('are followed by all there are when the helper has others', async () => {
    const rows = { things: { base: 'a name', set: [], gone: [] } };
    const asked: ApplyParams[] = [];
    const helper = {
      request: (_action: string, params: unknown) => {
        asked.push(params as ApplyParams);
        if (asked.length > 1) return Promise.resolve({});
        const values = { section: 'things' };
        const failure = { stage: 'validate', key: 'helper.contents.base', values } as const;
        return Promise.reject(new HelperError({ ...failure, detail: '', restored: true }));
      },
    };
    const params = { databaseId: 'x', change: 7, dryRun: false, sections: { other: 1 }, rows };
    const contents = { sections: new Map(), sources, db: {} as Knex };
    await requestWithContents(helper, params, 'ann', contents);
    assert.deepEqual(asked, [
      params,
      { ...params, sections: { other: 1, things: { things: ['all', 'of', 'them'] } }, rows: {} },
    ]);
  });
});
