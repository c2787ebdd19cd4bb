import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatBackup, MAX_FILE_BYTES, parseBackup } from '../../lib/backup/file.js';
import { UserError } from '../../lib/errors.js';
import { lock, unlock, LockedFileError } from '../../lib/privileged/backup/locked-file.js';

const FILE = {
  madeAt: '2026-01-02T03:04:05.000Z',
  secrets: [{ name: 'smarthost/password', about: 'me, relay.example' }],
  sections: { base: { mailServerName: 'mx.example' }, relay: { networks: [] } },
};

function problemOf(text: string): string {
  try {
    parseBackup(text);
  } catch (error) {
    if (error instanceof UserError) return error.problems[0]?.key ?? '';
    throw error;
  }
  return 'none';
}

describe('a file with settings', () => {
  const text = formatBackup(FILE);

  it('says what went into it', () => {
    assert.deepEqual(parseBackup(text), FILE);
  });

  it('may be written anew by a tool that keeps its meaning', () => {
    const content = JSON.parse(text) as Record<string, unknown>;
    const turned = Object.fromEntries(Object.entries(content).reverse());
    assert.deepEqual(parseBackup(JSON.stringify(turned)), FILE);
  });

  it('is refused when one letter of it was changed', () => {
    assert.equal(problemOf(text.replace('mx.example', 'my.example')), 'backup.problem.damaged');
    assert.equal(
      problemOf(text.replace('relay.example', 'evil.example')),
      'backup.problem.damaged',
    );
  });

  it('is refused when it is empty, cut off, something else, or of a newer version', () => {
    const cases: readonly (readonly [string, string])[] = [
      ['', 'empty'],
      [' \n', 'empty'],
      [text.slice(0, text.length / 2), 'damaged'],
      ['[]', 'notOurs'],
      ['null', 'notOurs'],
      ['{"format":"something else"}', 'notOurs'],
      ['\u0000\u0001PK', 'notOurs'],
      [text.replace('"version": 1', '"version": 2'), 'newer'],
      [text.replace('"version": 1', '"version": "1"'), 'damaged'],
      [text.replace('"version": 1', '"version": -1'), 'damaged'],
    ];
    for (const [given, problem] of cases) {
      assert.equal(problemOf(given), `backup.problem.${problem}`, given.slice(0, 40));
    }
  });

  it('is refused when it is larger than any backup', () => {
    assert.equal(problemOf(' '.repeat(MAX_FILE_BYTES) + text), 'backup.problem.tooLarge');
  });

  it('cannot reach JavaScript’s own objects', () => {
    const hostile = text.replace(
      '"sections": {',
      '"sections": { "__proto__": { "polluted": true },',
    );
    assert.equal(problemOf(hostile), 'backup.problem.damaged');
    assert.equal(Reflect.get({}, 'polluted'), undefined);
  });
});

describe('a file with settings and secrets', () => {
  const PASSPHRASE = 'correct horse battery';
  const content = { settings: 'the settings', secrets: { 'smarthost/password': 'pass "wörd\\' } };

  it('opens with its passphrase, however its umlauts are composed', async () => {
    const locked = await lock(content, 'schöne lange Passphrase');
    assert.deepEqual(await unlock(locked, 'scho\u0308ne lange Passphrase'), content);
  });

  it('shows nothing of what is in it', async () => {
    const locked = await lock(content, PASSPHRASE);
    assert.doesNotMatch(locked, /settings"|wörd|pass "/);
  });

  it('does not open with another passphrase, damaged, cut, or with a changed head', async () => {
    const locked = await lock(content, PASSPHRASE);
    const other = JSON.parse(await lock(content, PASSPHRASE)) as Record<string, string>;
    const head = JSON.parse(locked) as Record<string, string>;
    const broken = [
      JSON.stringify({ ...head, salt: other['salt'] }),
      JSON.stringify({ ...head, nonce: other['nonce'] }),
      JSON.stringify({ ...head, sealed: head['sealed']?.slice(8) }),
      JSON.stringify({ ...head, sealed: '' }),
      JSON.stringify({ ...head, version: 2 }),
      JSON.stringify({ ...head, format: 'other' }),
      locked.slice(0, 60),
      'null',
      '',
    ];
    await assert.rejects(unlock(locked, 'another horse battery'), LockedFileError);
    for (const text of broken)
      await assert.rejects(unlock(text, PASSPHRASE), LockedFileError, text);
    await assert.rejects(unlock(locked.slice(0, 150), PASSPHRASE), /only a part of a file of ours/);
  });

  it('wants a passphrase that is worth it', async () => {
    await assert.rejects(lock(content, 'short'), LockedFileError);
  });
});
