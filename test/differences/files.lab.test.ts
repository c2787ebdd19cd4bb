import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import Joi from 'joi';
import { diffOf } from '../../lib/differences/diff-view.js';
import { NOTHING_DECIDED } from '../../lib/privileged/apply/decided.js';
import { findDrift } from '../../lib/privileged/apply/drift.js';
import { makePlan } from '../../lib/privileged/apply/plan.js';
import { keepAction } from '../../lib/privileged/actions/keep.js';
import { pathsBelow, type Paths } from '../../lib/privileged/paths.js';
import { readConfig } from '../../lib/privileged/postfix/config-view.js';
import { digestOf, EMPTY_STATE, readState, writeState } from '../../lib/privileged/state.js';
import { createRegistry } from '../../lib/sections/registry.js';
import type { Section } from '../../lib/sections/section.js';
import { startPostfixRoot, type PostfixRoot } from '../support/postfix-root.js';

const NAME = '/etc/mailserver-test.conf';
const OURS = '# Written by the mailserver plugin.\nlevel = 1\n';
const THEIRS = '# Written by the mailserver plugin.\nlevel = 2\n';

/** A section that is one file. */
const section: Section<{ level: number }> = {
  id: 'filed',
  schema: Joi.object({ level: Joi.number().required() }),
  owns: { parameters: [], lists: [], master: [], tables: [], files: [NAME] },
  render: ({ level }) => ({
    files: { [NAME]: { content: OURS.replace('1', String(level)), mode: 0o644 } },
  }),
  read: () => ({ settings: { level: 1 }, unclear: [] }),
};
const registry = createRegistry([section]);

describe('a file of ours that was edited by hand', () => {
  let root: PostfixRoot;
  let paths: Paths;
  before(async () => {
    root = await startPostfixRoot({ started: false });
    paths = pathsBelow(root.places.root);
    mkdirSync(path.dirname(paths.root + NAME), { recursive: true });
  });
  after(() => root.stop());

  const drift = async () =>
    findDrift(await readState(paths), await readConfig(paths.configDir, paths), paths, registry);
  const edited = async (mode: number): Promise<void> => {
    const written = { ...EMPTY_STATE.written, files: { [NAME]: digestOf(OURS) } };
    await writeState(paths, { ...EMPTY_STATE, sections: { filed: { level: 1 } }, written });
    writeFileSync(paths.root + NAME, THEIRS, { mode });
    const { chmodSync } = await import('node:fs');
    chmodSync(paths.root + NAME, mode);
  };
  const planned = async (decided: Partial<typeof NOTHING_DECIDED>) => {
    const view = await readConfig(paths.configDir, paths);
    const state = await readState(paths);
    return makePlan(registry, { filed: { level: 1 } }, state, view, {
      ...NOTHING_DECIDED,
      ...decided,
    });
  };

  it('is told with its difference', async () => {
    await edited(0o644);
    const [edit] = await drift();
    assert.equal(edit?.name, NAME);
    const lines = diffOf(edit).map(({ text }) => text);
    assert.deepEqual(lines, [
      '  # Written by the mailserver plugin.',
      '- level = 1',
      '+ level = 2',
    ]);
  });

  it('shows nothing of itself where not everybody may read it', async () => {
    await edited(0o600);
    const [edit] = await drift();
    assert.deepEqual([edit?.ours, edit?.theirs], [null, null]);
  });

  it('is left as it is by a change of something else', async () => {
    await edited(0o644);
    const plan = await planned({ leave: new Set([NAME]) });
    assert.equal(plan.files.has(NAME), false);
  });

  it('is written again when somebody says so', async () => {
    await edited(0o644);
    const plan = await planned({ overwrite: new Set([NAME]) });
    assert.equal(plan.files.get(NAME)?.content, OURS);
  });

  it('is kept when somebody says so, and not told again', async () => {
    await edited(0o644);
    const edits = Object.fromEntries((await drift()).map(({ name, digest }) => [name, digest]));
    const changing = () => Promise.resolve();
    const context = { paths, registry: () => Promise.resolve(registry), changing };
    await keepAction.run({ edits }, context as Parameters<typeof keepAction.run>[1]);
    assert.deepEqual(await drift(), []);
  });
});
