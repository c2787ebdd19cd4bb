/** What stands in main.cf and master.cf and is not ours stays as it is, byte for byte, however often we save. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import type { BaseSettings } from '../../lib/base/schema.js';
import type { DomainSettings } from '../../lib/domains/schema.js';
import { makePlan } from '../../lib/privileged/apply/plan.js';
import { stateAfter } from '../../lib/privileged/apply/remember.js';
import {
  closeStages,
  editsConfiguration,
  fillStage,
  openStage,
} from '../../lib/privileged/apply/stage.js';
import { pathsBelow, type Paths } from '../../lib/privileged/paths.js';
import { readConfig } from '../../lib/privileged/postfix/config-view.js';
import { EMPTY_STATE, type HelperState } from '../../lib/privileged/state.js';
import { sections } from '../../lib/sections/index.js';
import { foreignLines, mainCf, masterCf } from '../support/configuration.js';

type Settings = Readonly<Record<string, unknown>>;

const OWNED = new Set(sections.all.flatMap(({ owns }) => [...owns.parameters, ...owns.lists]));
const isOurs = (line: string): boolean => OWNED.has(/^[^\s=]*/.exec(line)?.[0] ?? '');
const isOurService = (line: string): boolean => line.startsWith('mailserver-probe');

describe('foreign lines', () => {
  let root: string;
  let paths: Paths;
  before(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'mailserver-lines-'));
    paths = pathsBelow(root);
    await mkdir(paths.configDir, { recursive: true });
    await mkdir(paths.stateDir, { recursive: true, mode: 0o700 });
  });
  after(() => rm(root, { recursive: true }));

  const file = (name: string) => `${paths.configDir}/${name}`;

  /** Dated back, for Postfix waits two seconds on a fresh main.cf. */
  async function put(name: string, content: Buffer): Promise<void> {
    await writeFile(file(name), content);
    const then = Date.now() / 1000 - 60;
    await utimes(file(name), then, then);
  }

  async function readAll(): Promise<{ settings: Settings; main: Buffer; master: Buffer }> {
    const view = await readConfig(paths.configDir, paths);
    const settings = Object.fromEntries(
      sections.all.map((one) => [one.id, one.read(view).settings]),
    );
    return {
      settings,
      main: await readFile(file('main.cf')),
      master: await readFile(file('master.cf')),
    };
  }

  /** Writes as `apply` does, without daemons. Returns the state and whether anything was written. */
  async function save(settings: Settings, state: HelperState): Promise<[HelperState, boolean]> {
    const folder = await openStage(paths);
    try {
      const present = await readConfig(folder, paths);
      const plan = makePlan(sections, settings, state, present);
      if (!editsConfiguration(plan)) return [stateAfter(state, plan, present), false];
      const stage = await fillStage(folder, plan, present, paths);
      await put('main.cf', stage.after.main);
      await put('master.cf', stage.after.master);
      return [stateAfter(state, plan, stage.view), true];
    } finally {
      await closeStages(paths);
    }
  }

  function assertForeignKept(before: Buffer, now: Buffer, ours: (line: string) => boolean): void {
    // A file whose last line had no end gets one: otherwise our next line would become part of it.
    assert.deepEqual(foreignLines(now, ours), foreignLines(before, ours));
  }

  const FIRST = ['# main.cf', 'compatibility_level = 3.6'];

  it('survive a save of any setting in any file people have', async () => {
    const name = fc.constantFrom('', 'new.example', 'xn--mller-kva.example');
    await fc.assert(
      fc.asyncProperty(
        mainCf(FIRST),
        masterCf(),
        name,
        fc.boolean(),
        async (main, master, mailServerName, admin) => {
          await put('main.cf', main);
          await put('master.cf', master);
          const { settings } = await readAll();
          const changed = {
            base: {
              ...(settings['base'] as BaseSettings),
              mailServerName,
              unknownRecipient: admin ? 'admin' : 'refuse',
            },
            domains: {
              names: [...(settings['domains'] as DomainSettings).names, 'added.example'],
            },
          };
          const [state, written] = await save(changed, EMPTY_STATE);
          assert.ok(written);
          const after = await readAll();
          assertForeignKept(main, after.main, isOurs);
          assertForeignKept(master, after.master, isOurService);
          const { base, domains } = after.settings;
          assert.deepEqual({ base, domains }, changed);
          assert.deepEqual((await save(changed, state))[1], false);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('survive a hundred saves, and so does every byte when the form is unchanged', async () => {
    const [main = Buffer.of(), master = Buffer.of()] = [
      ...fc.sample(mainCf(FIRST), { numRuns: 1, seed: 1 }),
      ...fc.sample(masterCf(), { numRuns: 1, seed: 1 }),
    ];
    await put('main.cf', main);
    await put('master.cf', master);
    const first = (await readAll()).settings;
    let [state, written] = await save(first, EMPTY_STATE);
    assert.equal(written, false, 'an unchanged form was written');
    assert.deepEqual(await readFile(file('main.cf')), main);
    for (let round = 0; round < 100; round += 1) {
      const settings: Settings = {
        base: {
          ...(first['base'] as BaseSettings),
          mailServerName: round % 3 === 0 ? '' : `mx${round}.example`,
          maxMessageSizeMb: round % 2 === 0 ? null : 20,
          delivery: round % 5 === 0 ? 'lmtp' : 'system',
        },
        domains: { names: [`d${round}.example`, 'foo.example'] },
      };
      [state, written] = await save(settings, state);
      assert.ok(written);
    }
    const last = await readAll();
    assertForeignKept(main, last.main, isOurs);
    assertForeignKept(master, last.master, isOurService);
  });
});
