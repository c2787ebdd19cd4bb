import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HelperError } from '../../lib/errors.js';
import { runControlFile } from '../../lib/fetchmail/section.js';
import type { FetchQuery } from '../../lib/fetchmail/schema.js';
import { bindingOf } from '../../lib/fetchmail/security.js';
import { NOTHING_DECIDED, type Decided } from '../../lib/privileged/apply/decided.js';
import { makePlan, type Plan } from '../../lib/privileged/apply/plan.js';
import { stateAfter } from '../../lib/privileged/apply/remember.js';
import { digestOf, EMPTY_STATE, type HelperState } from '../../lib/privileged/state.js';
import { sections } from '../../lib/sections/index.js';
import { configView } from '../support/config-view.js';
import { someQuery } from '../support/queries.js';

/** A box that says what is in it and what it is bound to. */
function boxOf(secret: string, binding: readonly string[]): string {
  const text = Buffer.from(JSON.stringify([secret, binding])).toString('base64url');
  return `mb1.${text.padEnd(80, '_')}`;
}

function sealed(query: FetchQuery, secret: string): FetchQuery {
  return { ...query, remotePassword: boxOf(secret, bindingOf(query)) };
}

const SECOND = { id: '8', name: 'pop.provider.example', server: 'pop.provider.example' };

describe('the run control files of the queries', () => {
  const opened: string[] = [];
  const open = (box: string, binding: readonly string[]): string => {
    const text = Buffer.from(box.slice('mb1.'.length).replace(/_+$/, ''), 'base64url');
    const [secret, bound] = JSON.parse(text.toString()) as [string, readonly string[]];
    if (JSON.stringify(bound) !== JSON.stringify(binding)) throw new RangeError('bound elsewhere');
    opened.push(secret);
    return secret;
  };
  const view = { ...configView(), open };
  const first = sealed(someQuery(), 'first');
  const second = sealed(someQuery(SECOND), 'second');

  const plan = (
    queries: readonly FetchQuery[],
    state: HelperState,
    decided: Partial<Decided> = {},
  ): Plan => {
    opened.length = 0;
    return makePlan(sections, { fetchmail: { queries } }, state, view, {
      ...NOTHING_DECIDED,
      ...decided,
    });
  };
  const saved = stateAfter(EMPTY_STATE, plan([first, second], EMPTY_STATE), view);
  const contentOf = (made: Plan, { id }: FetchQuery): string =>
    made.files.get(runControlFile(id))?.content ?? '';

  it('are made again for the query that changed, and for no other', () => {
    const made = plan([first, { ...second, keep: true }], saved);
    const state = stateAfter(saved, made, view);
    assert.deepEqual(opened, ['second']);
    assert.deepEqual([...made.sameFiles], [runControlFile(first.id)]);
    assert.match(contentOf(made, second), /^ {2}keep$/m);
    const digest = digestOf(contentOf(made, second));
    assert.equal(state.written.files[runControlFile(second.id)], digest);
    assert.equal(
      state.written.files[runControlFile(first.id)],
      saved.written.files[runControlFile(first.id)],
    );
    assert.deepEqual([...plan([first, { ...second, keep: true }], state).sameFiles].sort(), [
      ...[runControlFile(first.id), runControlFile(second.id)],
    ]);
    assert.deepEqual(opened, []);
  });

  it('are made again for another password of the same query', () => {
    const made = plan([first, sealed(second, 'new')], saved);
    assert.deepEqual(opened, ['new']);
    assert.equal(made.sameFiles.has(runControlFile(second.id)), false);
    assert.match(contentOf(made, second), /"new"/);
  });

  it('are written over a hand edit when somebody says so, though the settings are the same', () => {
    const name = runControlFile(second.id);
    const made = plan([first, second], saved, { overwrite: new Set([name]) });
    assert.equal(made.sameFiles.has(name), false);
    assert.match(contentOf(made, second), /"second"/);
  });

  it('open no password at a place it was not entered for', () => {
    const moved = { ...second, port: 1993 };
    const elsewhere = { ...someQuery({ id: '9' }), remotePassword: second.remotePassword };
    for (const state of [EMPTY_STATE, saved]) {
      for (const query of [moved, elsewhere]) {
        assert.throws(() => plan([first, query], state), HelperError, query.id);
      }
    }
  });

  it('are known by their query where this very program made them, and by their recipe where another did', () => {
    const trust = (program: string | null) => ({ checked: new Set<string>(), program });
    const made = (queries: readonly FetchQuery[], from: HelperState, program: string, set = {}) =>
      makePlan(
        sections,
        { fetchmail: { queries } },
        from,
        { ...configView(set), open },
        NOTHING_DECIDED,
        trust(program),
      );
    const own = stateAfter(EMPTY_STATE, made([first, second], EMPTY_STATE, 'a'), view);
    // What the recipe was is of no account to who made it, and all to another.
    const recipes = Object.fromEntries(
      Object.keys(own.written.recipes ?? {}).map((one) => [one, '']),
    );
    const state = { ...own, written: { ...own.written, recipes } };
    const names = [first, second].map(({ id }) => runControlFile(id));
    assert.deepEqual([...made([first, second], state, 'a').sameFiles], names);
    assert.deepEqual([...made([{ ...first }, second], state, 'a').sameFiles], names.slice(1));
    assert.deepEqual([...made([first, second], state, 'b').sameFiles], []);
    // Where local mail is at home stands in each of them.
    const moved = { mydestination: 'elsewhere.example' };
    assert.deepEqual([...made([first, second], state, 'a', moved).sameFiles], []);
  });

  it('are made again when they were left as somebody edited them while their query changed', () => {
    const name = runControlFile(second.id);
    const changed = { ...second, keep: true };
    const left = plan([first, changed], saved, { leave: new Set([name]) });
    assert.equal(left.files.has(name), false);
    const state = stateAfter(saved, left, view);
    assert.equal(plan([first, changed], state).sameFiles.has(name), false);
  });

  it('hold their password and nothing of it in the recipe', () => {
    const made = plan([first, second], EMPTY_STATE);
    const file = made.files.get(runControlFile(first.id));
    assert.match(file?.content ?? '', /"first"/);
    assert.doesNotMatch(file?.recipe ?? '', /"first"/);
  });
});
