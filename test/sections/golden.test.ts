/** Each file in `golden/` holds a section, its settings, what the machine has, and what must come out. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { PACKAGE_ROOT } from '../../lib/package-root.js';
import { sections } from '../../lib/sections/index.js';
import type { SectionOutput } from '../../lib/sections/section.js';
import { configView } from '../support/config-view.js';

const FOLDER = `${PACKAGE_ROOT}test/sections/golden`;

interface Golden {
  readonly section: string;
  readonly settings: unknown;
  readonly machine: Record<string, string>;
  readonly expected: string;
}

function readGolden(name: string): Golden {
  const [head = '', expected = ''] = readFileSync(`${FOLDER}/${name}`, 'utf8').split('\n\n');
  const field = (key: string): string =>
    new RegExp(`^${key} (.*)$`, 'm').exec(head)?.[1] ?? assert.fail(`${name} has no ${key}`);
  return {
    section: field('section'),
    settings: JSON.parse(field('settings')) as unknown,
    machine: JSON.parse(field('machine')) as Record<string, string>,
    expected: expected.trim(),
  };
}

function inWords({ parameters = {}, lists = {}, ...rest }: SectionOutput): string {
  assert.deepEqual(rest, {}, 'the golden files know parameters and lists only');
  const set = Object.entries(parameters)
    .map(([name, value]) => (value === null ? `${name} removed` : `${name} = ${value}`.trim()))
    .sort();
  const entries = Object.entries(lists).flatMap(([list, slots]) =>
    slots.map(({ slot, value }) => `${list} has ${slot}: ${value}`),
  );
  return [...set, ...entries].join('\n');
}

describe('what a section renders', () => {
  for (const name of readdirSync(FOLDER).sort()) {
    it(`is as in ${name}`, () => {
      const golden = readGolden(name);
      const section = sections.get(golden.section) ?? assert.fail(golden.section);
      const settings = section.schema.validate(golden.settings, { convert: false });
      assert.equal(settings.error, undefined);
      const output = section.render(settings.value, configView(golden.machine), {});
      assert.equal(inWords(output), golden.expected);
    });

    it(`is read back to the same settings from ${name}`, () => {
      const golden = readGolden(name);
      const section = sections.get(golden.section) ?? assert.fail(golden.section);
      const { parameters = {}, lists = {} } = section.render(
        golden.settings,
        configView(golden.machine),
        {},
      );
      const after = new Map(Object.entries(golden.machine));
      for (const [parameter, value] of Object.entries(parameters)) {
        if (value === null) after.delete(parameter);
        else after.set(parameter, value);
      }
      for (const [list, entries] of Object.entries(lists)) {
        after.set(list, entries.map(({ value }) => value).join(', '));
      }
      const { settings, unclear } = section.read(configView(Object.fromEntries(after)));
      assert.deepEqual(settings, golden.settings);
      assert.deepEqual(unclear, []);
    });
  }
});
