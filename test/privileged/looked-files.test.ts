import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { FETCH_FOLDER, runControlFile } from '../../lib/fetchmail/section.js';
import { lookAtFiles } from '../../lib/privileged/apply/looked-files.js';
import { digestOf, EMPTY_STATE, type HelperState } from '../../lib/privileged/state.js';
import { sections } from '../../lib/sections/index.js';

const NAME = runControlFile('1');
const OURS = 'poll "one"\n';
const THEIRS = 'poll "two"\n';
/** Long after anything a test writes. */
const LATER = Date.now() + 3_600_000;

describe('the files we wrote, looked at again', () => {
  let root = '';
  let state: HelperState = EMPTY_STATE;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'mailserver-looked-'));
    mkdirSync(root + FETCH_FOLDER, { recursive: true });
    writeFileSync(root + NAME, OURS);
    const files = { [NAME]: digestOf(OURS) };
    state = { ...EMPTY_STATE, written: { ...EMPTY_STATE.written, files } };
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const look = (now?: number, only?: ReadonlySet<string>) =>
    lookAtFiles(state, { root }, sections, only, now);
  /** Knows the file from a look some time ago. */
  const know = (): void => {
    const { stamps } = look(LATER);
    assert.deepEqual(Object.keys(stamps), [NAME]);
    state = { ...state, written: { ...state.written, stamps } };
  };

  it('are not read while nobody has touched them', () => {
    know();
    // What it says is no longer ours: only somebody who reads it could tell.
    state = { ...state, written: { ...state.written, files: { [NAME]: digestOf(THEIRS) } } };
    assert.deepEqual(look(LATER), { edited: [], stamps: {} });
  });

  it('are known again only when they were left alone for a while', () => {
    assert.deepEqual(look(), { edited: [], stamps: {} });
  });

  it('show an edit of the same length with the old time put back', () => {
    know();
    writeFileSync(root + NAME, THEIRS);
    utimesSync(root + NAME, 1, 1);
    assert.equal(look(LATER).edited[0]?.theirs, THEIRS);
  });

  it('show a file that another was moved over, and one that is gone', () => {
    writeFileSync(`${root}/other`, THEIRS);
    know();
    renameSync(`${root}/other`, root + NAME);
    assert.equal(look(LATER).edited[0]?.theirs, THEIRS);
    rmSync(root + NAME);
    assert.equal(look(LATER).edited[0]?.theirs, null);
  });

  it('are left alone where the change is about something else', () => {
    writeFileSync(root + NAME, THEIRS);
    assert.deepEqual(look(LATER, new Set(['base'])), { edited: [], stamps: {} });
    assert.equal(look(LATER, new Set(['fetchmail'])).edited.length, 1);
  });
});
