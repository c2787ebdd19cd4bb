import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HelperError } from '../../lib/errors.js';
import { MAX_QUERIES, type FetchQuery } from '../../lib/fetchmail/schema.js';
import { nameRows, requestedSettings } from '../../lib/privileged/apply/requested.js';
import type { RowsChange } from '../../lib/privileged/protocol.js';
import { EMPTY_STATE, type HelperState } from '../../lib/privileged/state.js';
import { sections } from '../../lib/sections/index.js';
import { someQuery } from '../support/queries.js';

const BASE = 'b5f0c9a8-1b1e-4d0e-9c6e-0d8f5b8f8a11';
const query = (id: number, more: Partial<FetchQuery> = {}): FetchQuery =>
  someQuery({ id: String(id), remoteUser: `user-${id}`, ...more });

describe('settings of which only the rows that change are sent', () => {
  const known = [query(2), query(10), query(30)];
  const state: HelperState = {
    ...EMPTY_STATE,
    sections: { fetchmail: { queries: known } },
    rows: { fetchmail: BASE },
    makings: { fetchmail: { program: 'this one' } },
  };
  const ask = (change: Partial<RowsChange>, program: string | null = 'this one', from = state) => {
    const rows = { fetchmail: { base: BASE, set: [], gone: [], ...change } };
    const { settings, checked } = requestedSettings(
      { sections: {}, rows },
      from,
      sections,
      program,
    );
    const { queries } = settings['fetchmail'] as { queries: readonly FetchQuery[] };
    return { queries, checked };
  };
  const refused = (work: () => unknown): HelperError => {
    try {
      work();
    } catch (error) {
      assert.ok(error instanceof HelperError, String(error));
      assert.deepEqual([error.stage, error.restored], ['validate', true]);
      return error;
    }
    throw new Error('it was not refused');
  };

  it('are the rows there were, with those that came, are other, or went, in the order of their ids', () => {
    const other = query(10, { keep: true });
    const { queries } = ask({ set: [query(9), other], gone: ['30'] });
    assert.deepEqual(
      queries.map(({ id }) => id),
      ['2', '9', '10'],
    );
    assert.equal(queries[0], known[0], 'nothing is made of a row that is the same');
    assert.deepEqual(queries[2], other);
  });

  it('are not checked whole where this very program checked the others, and are where nobody can tell', () => {
    assert.deepEqual([...ask({ set: [query(9)] }).checked], ['fetchmail']);
    assert.equal(ask({}, null).checked.size, 0);
  });

  it('are asked for whole by another release: its rows may have other fields', () => {
    assert.equal(refused(() => ask({}, 'another')).key, 'helper.contents.base');
  });

  it('are asked for whole when the rows they change are not those there are', () => {
    const base = BASE.replace('b', 'c');
    const without: HelperState = { ...state, rows: {} };
    for (const work of [() => ask({ base }), () => ask({}, null, without)]) {
      const { key, values } = refused(work);
      assert.deepEqual([key, values], ['helper.contents.base', { section: 'fetchmail' }]);
    }
  });

  it('are refused with a row that no form would send', () => {
    const rows: readonly unknown[] = [
      { ...query(9), mda: '/bin/sh' },
      { ...query(9), server: 'a b' },
      { ...query(9), id: '../9' },
      null,
    ];
    for (const row of rows) {
      assert.equal(refused(() => ask({ set: [row] })).key, 'helper.validate.settings');
    }
    assert.equal(
      refused(() => ask({ set: [query(9), query(9)] })).key,
      'helper.validate.settings',
      'twice the same one',
    );
  });

  it('are refused with more rows than there may be', () => {
    const full = Array.from({ length: MAX_QUERIES }, (_, at) => query(at + 1));
    const most = { ...state, sections: { fetchmail: { queries: full } } };
    assert.equal(ask({ set: [query(5, { keep: true })] }, null, most).queries.length, MAX_QUERIES);
    assert.equal(
      refused(() => ask({ set: [query(MAX_QUERIES + 1)] }, null, most)).values['field'],
      'queries',
    );
  });

  it('are refused for a section that has none, and for one that is sent whole too', () => {
    const rows = { base: BASE, set: [], gone: [] };
    for (const params of [
      { sections: {}, rows: { base: rows } },
      { sections: { fetchmail: { queries: [] } }, rows: { fetchmail: rows } },
    ]) {
      const { key } = refused(() => requestedSettings(params, state, sections, null));
      assert.equal(key, 'helper.validate.settings');
    }
  });

  it('have another name after each change', () => {
    const [first, second] = [1, 2].map(() => nameRows(sections, ['fetchmail', 'base']));
    assert.deepEqual(Object.keys(first ?? {}), ['fetchmail']);
    assert.notEqual(first?.['fetchmail'], second?.['fetchmail']);
  });
});
