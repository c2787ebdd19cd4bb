import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import Ajv from 'ajv';
import { readManifest } from '../../lib/manifest.js';
import { PACKAGE_ROOT } from '../../lib/package-root.js';
import { ACTION_NAMES } from '../../lib/privileged/actions/index.js';
import { PROTOCOL_VERSION } from '../../lib/privileged/protocol.js';
import { DAEMONS } from '../../lib/privileged/services/all.js';
import { sourceFiles } from '../support/sources.js';

const json = (path: string): object =>
  JSON.parse(readFileSync(join(PACKAGE_ROOT, path), 'utf8')) as object;

const schema = json('lib/plugin.schema.json');
const manifest = readManifest();

describe('plugin.json', () => {
  const validate = new Ajv({ allErrors: true }).compile(schema);

  it('follows its schema', () => {
    assert.ok(validate(json('plugin.json')), JSON.stringify(validate.errors));
  });

  it('would not pass with a fault in it', () => {
    const menu = [{ id: 'x', label: 'x.y', path: '/x', order: 1, role: 'root' }];
    for (const fault of [{ menu }, { mount: 'mail' }, { surprise: 1 }, { main: '../../etc' }]) {
      assert.equal(validate({ ...manifest, ...fault }), false, JSON.stringify(fault));
    }
  });

  it('has the version and the main file of the package', () => {
    const { version, main } = json('package.json') as { version: string; main: string };
    assert.equal(manifest.version, version);
    assert.equal(manifest.main, main);
    for (const path of [manifest.main, manifest.privileged.program, manifest.locales]) {
      assert.ok(existsSync(join(PACKAGE_ROOT, path)), path);
    }
  });

  it('lists exactly the actions of the helper, and its protocol', () => {
    assert.deepEqual(manifest.privileged.actions, ACTION_NAMES);
    assert.equal(manifest.privileged.protocol, PROTOCOL_VERSION);
  });

  it('lists every action that the web side asks for', () => {
    const calls = sourceFiles(['lib', 'routes'], ['.ts'])
      .filter(({ path }) => !path.startsWith('lib/privileged/'))
      .flatMap(({ text }) => [...text.matchAll(/\.(?:call|request)\(\s*'([a-z-]+)'/g)])
      .map(([, action = '']) => action);
    assert.ok(calls.includes('apply') && calls.includes('read'));
    for (const action of calls) assert.ok(manifest.privileged.actions.includes(action), action);
  });

  it('lists exactly the services the helper looks after', () => {
    const services = ['postfix', ...DAEMONS.map(({ name }) => name)].sort();
    assert.deepEqual(manifest.privileged.services, services);
  });
});
