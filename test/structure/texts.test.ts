import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { PACKAGE_ROOT } from '../../lib/package-root.js';
import { messagesOf, sourceFiles } from '../support/sources.js';

const keys = new Set(messagesOf('locales/en.json').map(([key]) => key));
const features = [...new Set([...keys].map((key) => key.split('.')[0] ?? ''))];

/** Where texts are asked for; the console has its own, and looks up ours only by what `plugin.json` says. */
const sources = sourceFiles(['lib', 'routes', 'views'], ['.ts', '.njk']).filter(
  ({ path }) => !path.startsWith('lib/console/'),
);

/** Strings that look like keys but are paths into a row, or files. */
const NO_KEYS = /^value\.(?!asItIs$)|\.json$/;

const KEY = new RegExp(`^(?:${features.join('|')})(?:\\.[a-zA-Z0-9]+)+$`);

interface Asked {
  readonly path: string;
  readonly key: string;
}

/** Keys that stand in the source as they are. */
const literal: readonly Asked[] = sources.flatMap(({ path, text }) =>
  [...text.matchAll(/(['"`])([a-zA-Z0-9.]+)\1/g)]
    .map(([, , key = '']) => ({ path, key }))
    .filter(({ key }) => KEY.test(key) && !NO_KEYS.test(key)),
);

/** Keys with a part that is filled in, such as `helper.title.${stage}`: a pattern each. */
const families: readonly (Asked & { readonly pattern: RegExp })[] = sources.flatMap(
  ({ path, text }) =>
    [...text.matchAll(/`([a-zA-Z0-9.]*(?:\$\{[^}]+\}[a-zA-Z0-9.]*)+)`/g)]
      .map(([, key = '']) => ({ path, key }))
      .filter(({ key }) => /^[a-z][a-zA-Z]*\.|^\$\{[^}]*(?:feature|key|menu)[^}]*\}\./.test(key))
      .map(({ path: where, key }) => {
        const parts = key.split(/\$\{[^}]+\}/).map((part) => part.replaceAll('.', '\\.'));
        return { path: where, key, pattern: new RegExp(`^${parts.join('.+')}$`) };
      }),
);

/** Steps of the proof that a helper of another version names, whose words pages have to have. */
const OF_THE_HELPER = new Set(['proof.submission', 'proof.tls']);

const manifest = readFileSync(join(PACKAGE_ROOT, 'plugin.json'), 'utf8');

describe('texts and code', () => {
  it('agree: every key that is asked for exists', () => {
    assert.ok(literal.length > 200, 'the test finds the keys at all');
    const missing = literal.filter(({ key }) => !keys.has(key));
    assert.deepEqual([...new Set(missing.map(({ path, key }) => `${key} in ${path}`))], []);
  });

  it('agree: every family of keys has members', () => {
    const empty = families.filter(
      ({ key, pattern }) =>
        features.some((feature) => key.startsWith(`${feature}.`)) &&
        ![...keys].some((known) => pattern.test(known)),
    );
    assert.deepEqual(
      empty.map(({ path, key }) => ({ path, key })),
      [],
    );
  });

  it('agree: every text is used', () => {
    const used = (key: string): boolean =>
      OF_THE_HELPER.has(key) ||
      literal.some((asked) => asked.key === key) ||
      manifest.includes(`"${key}"`) ||
      families.some(({ pattern }) => pattern.test(key));
    assert.deepEqual(
      [...keys].filter((key) => !used(key)),
      [],
    );
  });

  it('have a title for every stage at which the helper can fail', () => {
    const errors = sources.find(({ path }) => path === 'lib/errors.ts')?.text ?? '';
    const stages = /export type HelperStage =([^;]+);/.exec(errors)?.[1] ?? '';
    const names = [...stages.matchAll(/'(\w+)'/g)].map(([, name = '']) => name);
    assert.ok(names.includes('connect') && names.length > 10);
    for (const name of names) assert.ok(keys.has(`helper.title.${name}`), name);
  });
});
