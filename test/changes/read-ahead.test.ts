import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readAhead } from '../../lib/changes/read-ahead.js';
import { until } from '../support/wait.js';

const MOST = 3;

describe('pages that are read ahead', () => {
  function source(count: number, fault: Error | null = null) {
    const seen = { read: 0, ended: false };
    const pages = (async function* () {
      try {
        for (; seen.read < count; seen.read += 1) yield await Promise.resolve(seen.read);
        if (fault) throw fault;
      } finally {
        seen.ended = true;
      }
    })();
    return { seen, pages };
  }

  it('are the same, however many there are', async () => {
    for (const count of [0, 1, MOST, 20]) {
      const taken: number[] = [];
      for await (const page of readAhead(source(count).pages, MOST)) taken.push(page);
      assert.deepEqual(
        taken,
        Array.from({ length: count }, (_, n) => n),
      );
    }
  });

  it('wait for who takes them, and are no more than they may be', async () => {
    const { seen, pages } = source(20);
    const ahead = readAhead(pages, MOST);
    assert.equal((await ahead.next()).value, 0);
    await until('the next ones to be read', () => seen.read === MOST - 1);
    assert.equal((await ahead.next()).value, 1);
    await until('one more to be read', () => seen.read === MOST);
    await ahead.return();
    assert.equal(seen.ended, true);
    assert.ok(seen.read <= MOST + 1);
  });

  it('come before the fault that ends them', async () => {
    const fault = new Error('the database has gone');
    const taken: number[] = [];
    const taking = async () => {
      for await (const page of readAhead(source(2, fault).pages, MOST)) taken.push(page);
    };
    await assert.rejects(taking, fault);
    assert.deepEqual(taken, [0, 1]);
  });
});
