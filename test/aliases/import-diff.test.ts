/** What a line of a file changes of an alias that is there. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { differencesBetween } from '../../lib/aliases/import-diff.js';

const ALIAS = { name: 'sales', targets: ['alice', 'bob'], note: '', enabled: true };

describe('what differs between an alias and a line of a file', () => {
  it('is nothing where the targets come in another order', () => {
    assert.deepEqual(differencesBetween(ALIAS, { ...ALIAS, targets: ['bob', 'alice'] }), []);
  });

  it('names only the parts that differ, with what they were', () => {
    const after = { ...ALIAS, note: 'shop', enabled: false };
    assert.deepEqual(differencesBetween(ALIAS, after), [
      { part: 'note', before: [], after: ['shop'], partly: false },
      { part: 'enabled', before: ['on'], after: ['off'], partly: false },
    ]);
    assert.deepEqual(differencesBetween(ALIAS, { ...ALIAS, targets: ['alice'] }), [
      { part: 'targets', before: ['alice', 'bob'], after: ['alice'], partly: false },
    ]);
  });

  it('is of a long list of targets what goes and what comes, wherever in it that stands', () => {
    const many = Array.from({ length: 500 }, (_, n) => `person.${n}@far.example`);
    const before = { ...ALIAS, targets: [...many, 'alice'] };
    assert.deepEqual(differencesBetween(before, { ...ALIAS, targets: ['bob', ...many] }), [
      { part: 'targets', before: ['alice'], after: ['bob'], partly: true },
    ]);
  });
});
