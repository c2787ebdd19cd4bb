import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { apply } from '../../lib/privileged/apply/apply.js';
import { NOTHING_FOLLOWS } from '../../lib/privileged/apply/contents-received.js';
import { findDrift } from '../../lib/privileged/apply/drift.js';
import { publicKey } from '../../lib/privileged/keys.js';
import { pathsBelow, type Paths } from '../../lib/privileged/paths.js';
import type { ConfigView } from '../../lib/privileged/postfix/config-view.js';
import type { ApplyResult } from '../../lib/privileged/protocol.js';
import { secretsOf } from '../../lib/privileged/secrets.js';
import { takeInventory } from '../../lib/privileged/takeover/inventory.js';
import { readState } from '../../lib/privileged/state.js';
import { sections } from '../../lib/sections/index.js';
import type { Finding } from '../../lib/takeover/finding.js';
import { survey } from '../../lib/takeover/survey.js';
import { CORPUS_NAMES, installCase, snapshot } from '../support/corpus.js';
import { startPostfixRoot, type PostfixRoot } from '../support/postfix-root.js';
import { CASES } from './cases.js';

const asText = ({ parameter, reason }: Finding): string => `${parameter} ${reason}`;
/** Local domains as the database gives them back, which keeps no order of a file. */
const asSaved = (section: string, settings: unknown): unknown =>
  section === 'domains'
    ? { names: (settings as { readonly names: readonly string[] }).names.toSorted() }
    : settings;
const unique = (texts: readonly string[]): string[] => [...new Set(texts)].sort();

/** In one process, to be quick; `bench/takeover.ts` does it through the helper, and with mail for each. */
describe('mail servers as people have them', () => {
  let root: PostfixRoot;
  let paths: Paths;
  before(async () => {
    root = await startPostfixRoot({ started: false });
    paths = pathsBelow(root.places.root);
  });
  after(() => root.stop());

  const look = async () => {
    await publicKey(paths);
    const { view, ...inventory } = await takeInventory(paths, sections);
    return { ...survey(inventory), view };
  };
  const undecided = async (view: ConfigView): Promise<Record<string, string>> => {
    const drift = await findDrift(await readState(paths), view, paths, sections);
    return Object.fromEntries(drift.map(({ name, digest }) => [name, digest]));
  };
  /** As the page does: what nobody could have written on a page is left as it is. */
  const save = async (
    databaseId: string,
    change: number,
    settings: object,
    leave: Readonly<Record<string, string>>,
  ): Promise<ApplyResult> => {
    const asked = { ...settings, aliases: undefined, recipients: undefined };
    const given = Object.fromEntries(
      Object.entries(asked)
        .filter(([, one]) => one !== undefined)
        .map(([section, one]) => [section, asSaved(section, one)]),
    );
    return apply(
      { databaseId, change, dryRun: false, sections: given, leave },
      {
        ...{ paths, registry: sections, secrets: secretsOf(paths), receiving: NOTHING_FOLLOWS },
        changing: () => Promise.resolve(),
      },
    );
  };

  it('are forty at least, and each is described', () => {
    assert.ok(CORPUS_NAMES.length >= 40);
    assert.deepEqual([...CORPUS_NAMES].sort(), Object.keys(CASES).sort());
  });

  for (const name of CORPUS_NAMES) {
    const { contradictory = [], understood = [], left = [], settings = {} } = CASES[name] ?? {};
    it(`${name}: is understood, taken over, and saved unchanged without a changed byte`, async () => {
      installCase(name, root.places);
      const files = snapshot(root.places);
      const seen = await look();
      const by = (verdict: Finding['verdict']) =>
        seen.findings.filter((finding) => finding.verdict === verdict);
      assert.deepEqual(unique(by('contradictory').map(asText)), unique(contradictory));
      for (const parameter of understood) {
        assert.ok(
          by('understood').some((one) => one.parameter === parameter),
          parameter,
        );
      }
      for (const parameter of left) {
        assert.ok(
          by('left').some((one) => one.parameter === parameter),
          parameter,
        );
      }
      for (const [section, wanted] of Object.entries(settings)) {
        const read = seen.settings[section] as Record<string, unknown>;
        assert.deepEqual({ ...read, ...wanted }, read, section);
      }
      const database = randomUUID();
      const leave = await undecided(seen.view);
      const taken = await save(database, 1, seen.settings, leave);
      assert.deepEqual([taken.status, taken.parameters, taken.files], ['unchanged', [], []]);
      const again = await save(database, 2, seen.settings, leave);
      assert.deepEqual([again.status, again.parameters, again.files], ['unchanged', [], []]);
      assert.deepEqual(snapshot(root.places), files);
    });
  }
});
