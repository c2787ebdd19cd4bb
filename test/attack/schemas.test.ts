/** Every field of every section against every hostile value, at the helper's own check. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HelperError } from '../../lib/errors.js';
import { makePlan } from '../../lib/privileged/apply/plan.js';
import { parseJson } from '../../lib/privileged/safe-json.js';
import { EMPTY_STATE } from '../../lib/privileged/state.js';
import { sections } from '../../lib/sections/index.js';
import { configView } from '../support/config-view.js';
import { hostileTexts, HOSTILE_VALUES, PROTOTYPE_KEYS, withEachLeaf } from './hostile.js';

/** Longest part of a value in a message about it. */
const SHOWN = 60;

function accepted(id: string, settings: unknown): boolean {
  try {
    makePlan(sections, { [id]: settings }, EMPTY_STATE, configView());
    return true;
  } catch (error) {
    assert.ok(error instanceof HelperError, String(error));
    return false;
  }
}

/** As it comes over the border. */
function acceptedText(id: string, text: string): boolean {
  let settings: unknown;
  try {
    settings = parseJson(text);
  } catch (error) {
    assert.ok(error instanceof SyntaxError, String(error));
    return false;
  }
  return accepted(id, settings);
}

describe('the sections', () => {
  for (const section of sections.all) {
    const { settings } = section.read(configView());

    it(`${section.id} takes what it reads itself`, () => {
      assert.ok(accepted(section.id, settings));
    });

    it(`${section.id} takes no control character, no half character, nothing endless in any field`, () => {
      const always = /[\p{Cc}\p{Cs}\u2028\u2029]|^\s|\s$|^x{1000}/u;
      for (const text of hostileTexts('/tmp/canary').filter((one) => always.test(one))) {
        for (const changed of withEachLeaf(settings, text)) {
          assert.equal(
            accepted(section.id, changed),
            false,
            JSON.stringify(changed).slice(0, SHOWN * 10),
          );
        }
      }
    });

    it(`${section.id} writes what it takes of the rest as a value, never as an expression of Postfix`, () => {
      for (const text of hostileTexts('/tmp/canary')) {
        for (const changed of withEachLeaf(settings, text)) {
          if (!accepted(section.id, changed)) continue;
          const { parameters } = makePlan(
            sections,
            { [section.id]: changed },
            EMPTY_STATE,
            configView(),
          );
          for (const [name, value] of parameters) {
            assert.equal(
              value?.includes(text) && /[$|`;{}<>/]|:include/.test(text),
              false,
              `${name} = ${value}`,
            );
          }
        }
      }
    });

    it(`${section.id} takes nothing of another kind, and nothing more than it knows`, () => {
      for (const value of HOSTILE_VALUES.filter((one) => typeof one === 'object' && one !== null)) {
        assert.equal(accepted(section.id, value), false, JSON.stringify(value).slice(0, SHOWN));
      }
      for (const value of [null, 1, 'text', true, undefined]) {
        assert.equal(accepted(section.id, value), false, String(value));
      }
      for (const key of [...PROTOTYPE_KEYS, 'extra']) {
        const text = JSON.stringify(settings).replace(/^\{/, `{"${key}":{"extra":true},`);
        assert.equal(acceptedText(section.id, text), false, key);
        assert.equal(acceptedText(section.id, text.replace('__', '\\u005f\\u005F')), false, key);
      }
    });
  }

  it('can be told from what every object has', () => {
    for (const id of [
      ...PROTOTYPE_KEYS,
      'hasOwnProperty',
      '',
      '../base',
      'base/../base',
      'BASE',
      'base\0',
    ]) {
      assert.equal(accepted(id, {}), false, id);
    }
  });
});
