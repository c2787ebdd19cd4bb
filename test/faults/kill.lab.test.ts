/** The helper is killed while it saves, and while it puts things right: afterwards all is old or all is new. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { FaultRounds, type Outcome } from '../support/fault-round.js';
import {
  faultyTransport,
  RECOVERY_POINTS,
  SAVE_POINTS,
  shortLivedTransport,
  type FaultPoint,
} from '../support/faults.js';
import { startPostfixRoot, type PostfixRoot } from '../support/postfix-root.js';

/** On top of the points; `bench/faults.ts` plays hundreds. */
const RANDOM_ROUNDS = 20;
const KILL = { signal: 'KILL' } as const;

describe('a helper that is killed', () => {
  let root: PostfixRoot;
  let rounds: FaultRounds;
  const outcomes = new Map<string, Outcome>();

  before(async () => {
    root = await startPostfixRoot();
    rounds = await FaultRounds.begin(root);
  });
  after(() => root.stop());

  const pointNamed = (name: string): FaultPoint =>
    SAVE_POINTS.find((point) => point.name === name) ?? assert.fail(name);

  for (const point of SAVE_POINTS) {
    it(`when it is about to ${point.name} leaves old or new, and nothing between`, async () => {
      outcomes.set(point.name, await rounds.play(faultyTransport(root, point, KILL)));
    });
  }

  for (const point of RECOVERY_POINTS) {
    it(`and killed again when it is about to ${point.name} leaves old or new`, async () => {
      const swapped = pointNamed('sync the folder of the new main.cf');
      const again = faultyTransport(root, point, KILL);
      const outcome = await rounds.play(faultyTransport(root, swapped, KILL), [again, again]);
      assert.equal(outcome, 'old');
    });
  }

  for (let round = 1; round <= RANDOM_ROUNDS; round += 1) {
    it(`at any time, and again on its way back, leaves old or new (round ${round})`, async () => {
      const anyTime = () => shortLivedTransport(root, Math.random() * rounds.saveMs);
      await rounds.play(anyTime(), [anyTime(), anyTime()]);
    });
  }

  it('did what it had promised before the new state was in place, and kept it afterwards', () => {
    const last = SAVE_POINTS.findIndex(({ name }) => name === 'put the new state in place');
    const expected = SAVE_POINTS.map(({ name }, index) => [name, index <= last ? 'old' : 'new']);
    assert.deepEqual([...outcomes], expected);
  });
});
