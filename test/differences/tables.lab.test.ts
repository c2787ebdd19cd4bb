/** A table that holds secrets, edited by hand: told without its content, never overwritten unseen. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import Joi from 'joi';
import { HelperError } from '../../lib/errors.js';
import { apply } from '../../lib/privileged/apply/apply.js';
import { NOTHING_FOLLOWS } from '../../lib/privileged/apply/contents-received.js';
import { findDrift } from '../../lib/privileged/apply/drift.js';
import { pathsBelow, type Paths } from '../../lib/privileged/paths.js';
import { readConfig } from '../../lib/privileged/postfix/config-view.js';
import type { ApplyParams, ApplyResult, DriftEntry } from '../../lib/privileged/protocol.js';
import { readState } from '../../lib/privileged/state.js';
import { createRegistry } from '../../lib/sections/registry.js';
import type { Section } from '../../lib/sections/section.js';
import { startPostfixRoot, type PostfixRoot } from '../support/postfix-root.js';

/** A section that is one table of passwords. */
const section: Section<{ password: string }> = {
  id: 'locked',
  schema: Joi.object({ password: Joi.string().required() }),
  owns: { parameters: [], lists: [], master: [], tables: ['locked'], files: [] },
  render: ({ password }) => ({
    tables: { locked: { entries: [['relay.example', `anna:${password}`]], secret: true } },
  }),
  read: () => ({ settings: { password: '' }, unclear: [] }),
};
const registry = createRegistry([section]);

describe('a secret table that was edited by hand', () => {
  let root: PostfixRoot;
  let paths: Paths;
  let change = 0;
  const databaseId = randomUUID();
  before(async () => {
    root = await startPostfixRoot({ started: false });
    paths = pathsBelow(root.places.root);
    await save('first');
  });
  after(async () => {
    // The saves of this process start it outside of the root, whose end does not reach it.
    await root.postfix('stop');
    await root.stop();
  });

  const map = () => `lmdb:${root.places.configDir}/mailserver.d/locked`;
  const postmap = async (args: readonly string[], input?: string): Promise<string> => {
    const options = input === undefined ? {} : { input };
    const all = ['-c', root.places.configDir, ...args];
    return (await root.run('/usr/sbin/postmap', all, options)).stdout.trim();
  };
  const inTable = () => postmap(['-q', 'relay.example', map()]);
  const drift = async (): Promise<readonly DriftEntry[]> =>
    findDrift(await readState(paths), await readConfig(paths.configDir, paths), paths, registry);

  function save(password: string, more: Partial<ApplyParams> = {}): Promise<ApplyResult> {
    change += 1;
    return apply(
      { databaseId, change, dryRun: false, sections: { locked: { password } }, ...more },
      { paths, registry, receiving: NOTHING_FOLLOWS, changing: () => Promise.resolve() },
    );
  }

  it('is none while only we have written it', async () => {
    assert.equal(await inTable(), 'anna:first');
    assert.deepEqual(await drift(), []);
    await save('second');
    assert.deepEqual(await drift(), []);
  });

  it('is told, without what stands there and nothing from which it could be guessed', async () => {
    await postmap(['-r', '-i', map()], 'relay.example anna:by-hand\n');
    const [entry, ...more] = await drift();
    assert.equal(more.length, 0);
    const { digest = '', ...rest } = entry ?? {};
    const expected = { kind: 'table', name: 'locked', ours: null, theirs: null, section: 'locked' };
    assert.deepEqual(rest, expected);
    assert.match(digest, /^[0-9a-f]{64}$/);
  });

  it('stops a save that does not say what shall become of it', async () => {
    await assert.rejects(
      save('third'),
      (error: unknown) => error instanceof HelperError && error.stage === 'drift',
    );
    assert.equal(await inTable(), 'anna:by-hand');
  });

  it('can be left as it is only by a save that says nothing new of it', async () => {
    const leave = { locked: (await drift())[0]?.digest ?? '' };
    await assert.rejects(
      save('third', { leave }),
      (error: unknown) => error instanceof HelperError && error.stage === 'drift',
    );
    assert.equal((await save('second', { leave })).status, 'unchanged');
    assert.equal(await inTable(), 'anna:by-hand');
  });

  it('is overwritten when somebody says so, and is ours again', async () => {
    const overwrite = { locked: (await drift())[0]?.digest ?? '' };
    assert.equal((await save('second', { overwrite })).status, 'applied');
    assert.equal(await inTable(), 'anna:second');
    assert.deepEqual(await drift(), []);
  });

  it('is one too when it is gone, and comes back', async () => {
    await rm(`${root.places.configDir}/mailserver.d/locked.lmdb`);
    const overwrite = { locked: (await drift())[0]?.digest ?? '' };
    await save('second', { overwrite });
    assert.equal(await inTable(), 'anna:second');
  });
});
