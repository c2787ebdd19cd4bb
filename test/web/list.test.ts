/** What an address asks of a list, whoever wrote it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readListQuery } from '../../lib/web/list.js';

describe('the address of a list', () => {
  const asked = (query: object) => readListQuery(query, ['name', 'state']);

  it('searches for text without NUL, which no database takes', () => {
    assert.equal(asked({ q: ' an\0na\0 ' }).search, 'anna');
  });

  it('is cut where it searches for more than a person types', () => {
    assert.equal(asked({ q: 'x'.repeat(5_000) }).search.length, 200);
  });

  it('sorts by the first column when it names one that is not there', () => {
    const plain = { sort: 'name', descending: false };
    for (const sort of ['password', '-password', '', '--state', 'constructor']) {
      const { sort: column, descending } = asked({ sort });
      assert.deepEqual({ sort: column, descending }, plain, sort);
    }
    assert.equal(asked({ sort: '-state' }).descending, true);
  });

  it('means nothing by fields that are given twice', () => {
    const { search, after, before } = asked({ q: ['a', 'b'], after: ['a'], before: { a: 'b' } });
    assert.deepEqual({ search, after, before }, { search: '', after: '', before: '' });
  });
});
