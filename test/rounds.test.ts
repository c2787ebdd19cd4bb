import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createRounds } from '../lib/rounds.js';
import { until } from './support/wait.js';

const LONG_MS = 3_600_000;

describe('rounds in the background', () => {
  it('follow one another, and begin at once when they are woken', async () => {
    let done = 0;
    const rounds = createRounds(
      () => {
        done += 1;
        return Promise.resolve(done % 2 === 1 ? 0 : LONG_MS);
      },
      { firstAfterMs: LONG_MS },
    );
    rounds.start();
    rounds.start();
    rounds.wake();
    await until('two rounds', () => done === 2);
    rounds.wake();
    await until('two more', () => done === 4);
    await rounds.close();
    assert.equal(done, 4);
  });

  it('end with the one that is under way, which rests no more', async () => {
    let ended = false;
    let began = false;
    const rounds = createRounds(async () => {
      began = true;
      await rounds.rest(LONG_MS);
      ended = rounds.closing;
      await rounds.rest(LONG_MS);
      return 0;
    });
    rounds.start();
    await until('it to begin', () => began);
    await rounds.close();
    assert.ok(ended);
  });
});
