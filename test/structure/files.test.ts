import assert from 'node:assert/strict';
import { basename } from 'node:path';
import { describe, it } from 'node:test';
import { sourceFiles } from '../support/sources.js';

const code = sourceFiles(['lib', 'routes', 'migrations', 'test', 'bench', 'bin'].filter(exists), [
  '.ts',
  '.mjs',
]);
const MAX_LINES = 400;

/** What a kind of file may not import at run time, as in STYLE.md. Types may cross: they vanish. */
const BORDERS: readonly (readonly [kind: string, files: RegExp, never: RegExp])[] = [
  ['a route', /^routes\//, /^knex$|store\.js$|^node:(fs|child_process)|\/privileged\//],
  ['a service', /^lib\/\w+\/service\.ts$/, /^express$|^nunjucks$|^node:(fs|child_process)/],
  ['a store', /^lib\/\w+\/(\w+-)?store\.ts$/, /^express$|^nunjucks$|^node:|service\.js$/],
  [
    'a schema or section',
    /^lib\/\w+\/(schema|section)\.ts$/,
    /^express$|^knex$|^nunjucks$|^node:(fs|child_process)|(store|service)\.js$/,
  ],
  [
    'the privileged side',
    /^lib\/privileged\//,
    /^express$|^knex$|^nunjucks$|(store|service)\.js$|\/routes\/|\/web\//,
  ],
  ['a migration', /^migrations\/\d/, /lib\/|routes\//],
  ['the plugin', /^(lib\/(?!console|lab|launch|database)|routes)/, /\/console\//],
];

function exists(folder: string): boolean {
  try {
    return sourceFiles([folder], ['']).length > 0;
  } catch {
    return false;
  }
}

function importsOf(text: string): string[] {
  return [...text.matchAll(/^(?:import|export)(?! type)[^;]*? from '([^']+)';/gm)].map(
    ([, from = '']) => from,
  );
}

describe('the files', () => {
  it('are small', () => {
    const long = code.filter(
      ({ path, text }) => !path.startsWith('test/') && text.split('\n').length > MAX_LINES,
    );
    assert.deepEqual(
      long.map(({ path }) => path),
      [],
    );
  });

  it('have names that say what they are', () => {
    for (const { path } of code) {
      assert.match(basename(path), /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)*\.(ts|mjs)$/, path);
      assert.doesNotMatch(path, /\b(utils?|helpers|common|misc)\b(?!\/service)/, path);
    }
  });

  it('promise nothing for later', () => {
    const marker = new RegExp(['TO', 'DO|FIX', 'ME'].join(''));
    for (const { path, text } of code) assert.doesNotMatch(text, marker, path);
  });

  for (const [kind, files, never] of BORDERS) {
    it(`keep the borders: ${kind}`, () => {
      const checked = code.filter(({ path }) => files.test(path));
      assert.ok(checked.length > 0, 'the test finds such files');
      for (const { path, text } of checked) {
        const crossed = importsOf(text).filter((from) => never.test(from));
        assert.deepEqual(crossed, [], path);
      }
    });
  }

  it('start no shell', () => {
    for (const { path, text } of code.filter((file) => file.path.startsWith('lib/'))) {
      assert.doesNotMatch(text, /\bexec(Sync)?\(\s*['"`]|shell:\s*true/, path);
    }
  });
});
