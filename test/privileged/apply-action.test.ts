import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { setImmediate as everythingElse } from 'node:timers/promises';
import { HelperError } from '../../lib/errors.js';
import { applyAction } from '../../lib/privileged/actions/apply.js';
import { pathsBelow } from '../../lib/privileged/paths.js';
import { EMPTY_STATE, writeState } from '../../lib/privileged/state.js';
import { sections } from '../../lib/sections/index.js';
import { receivedList } from '../support/contents-items.js';

const ITEMS = 1_000;

describe('a save with entries that follow', () => {
  it('is refused when all of them are in: whoever still sends does not lose the answer', async (t) => {
    const root = await mkdtemp(path.join(tmpdir(), 'mailserver-apply-'));
    t.after(() => rm(root, { recursive: true, force: true }));
    const paths = pathsBelow(root);
    const at = new Date().toISOString();
    const earlier = {
      databaseId: randomUUID(),
      change: 5,
      digest: '',
      status: 'applied',
      at,
    } as const;
    await writeState(paths, { ...EMPTY_STATE, record: earlier });
    let taken = 0;
    const items = (async function* () {
      yield { section: 'aliases' };
      for (; taken < ITEMS; taken += 1) {
        await everythingElse();
        yield receivedList([[`person.${taken}`, ['root']]]);
      }
    })();
    const params = {
      ...{ databaseId: randomUUID(), change: 1, dryRun: false },
      sections: { aliases: { active: true, catchAll: false } },
      contents: { aliases: { base: null } },
    };
    const context = {
      ...{ paths, items, registry: () => Promise.resolve(sections) },
      ...{ signal: new AbortController().signal, progress: () => undefined },
      ...{ changing: () => Promise.resolve(), taken: () => Promise.resolve() },
    };
    await assert.rejects(
      applyAction.run(params, context),
      (error) => error instanceof HelperError && error.key === 'helper.validate.foreignDatabase',
    );
    assert.equal(taken, ITEMS);
  });
});
