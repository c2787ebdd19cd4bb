import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { takenBackBy, type Undo } from '../../lib/changes/taken-back.js';

/** What the changes 1 to 6 are taken back by, after these undos, oldest first. */
function takers(...undos: Undo[]): readonly (number | null)[] {
  return [1, 2, 3, 4, 5, 6].map(takenBackBy(undos.toReversed()));
}

const one = (number: number, undoes: number): Undo => ({ number, undoes, since: false });
const since = (number: number, undoes: number): Undo => ({ number, undoes, since: true });

describe('what took a change back', () => {
  it('is nothing while nothing was undone', () => {
    assert.deepEqual(takers(), [null, null, null, null, null, null]);
  });

  it('is the change that undid just this one', () => {
    assert.deepEqual(takers(one(4, 2)), [null, 4, null, null, null, null]);
  });

  it('is the change that went back to before it, or to before an older one', () => {
    assert.deepEqual(takers(since(5, 2)), [null, 5, 5, 5, null, null]);
  });

  it('is nothing any more once the undo itself was undone, and something again after the next turn', () => {
    assert.deepEqual(takers(one(3, 2), one(4, 3)), [null, null, 4, null, null, null]);
    assert.deepEqual(takers(one(3, 2), one(4, 3), one(5, 4)), [null, 3, null, 5, null, null]);
  });

  it('is the way back that went over an undo as well', () => {
    assert.deepEqual(takers(one(3, 1), since(5, 2)), [null, 5, 5, 5, null, null]);
    assert.deepEqual(takers(one(3, 1), since(5, 1)), [5, 5, 5, 5, null, null]);
  });
});
