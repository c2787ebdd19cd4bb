import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hashDigits, isQueueId } from '../../lib/queue/id.js';
import { plainParams } from '../../lib/privileged/actions/action.js';

describe('a queue id', () => {
  for (const id of ['3D1C02A4F5', '0123456789ABCDEF', '4jY1WG0B6SzL2Wn', '3Pt2mN2VXxznjll']) {
    it(`can be ${id}`, () => assert.ok(isQueueId(id)));
  }
  for (const [why, id] of [
    ['nothing', ''],
    ['all of them', 'ALL'],
    ['the mark of a listing', '3D1C02A4F5!#'],
    ['an option', '-d3D1C02A4F5'],
    ['a path', '../3D1C02A4F5'],
    ['two', '3D1C02A4F5 3D1C02A4F6'],
    ['two lines', '3D1C02A4F5\n3D1C02A4F6'],
    ['with a newline behind', '3D1C02A4F5\n'],
    ['with a NUL', '3D1C02A4F5\0'],
    ['small letters', '3d1c02a4f5'],
    ['too short', '3D1C0'],
    ['with a vowel in the long form', '4jY1WG0BAezL2Wn'],
    ['endless', '4'.repeat(1_000_000)],
  ] as const) {
    it(`is not ${why}`, () => assert.ok(!isQueueId(id)));
  }

  it('tells the folders that Postfix puts the message in', () => {
    assert.equal(hashDigits('3D1C02A4F5').slice(0, 2), '3D');
    // `enable_long_queue_ids`: 2VXx before the z are 353,025 microseconds in base 52, in hexadecimal 56301.
    assert.equal(hashDigits('3Pt2mN2VXxznjll'), '56301');
  });
});

describe('parameters that are checked by hand', () => {
  const schema = plainParams<{ id: string }>({ id: (id) => typeof id === 'string' });
  it('take what they name, and nothing else', () => {
    assert.deepEqual(schema.validate({ id: 'x' }), { value: { id: 'x' } });
    for (const [params, wrong] of [
      [{}, 'id'],
      [{ id: 1 }, 'id'],
      [{ id: 'x', more: 1 }, 'more'],
      [{ id: 'x', constructor: 1 }, 'constructor'],
    ] as const) {
      assert.equal(schema.validate(params).error?.details[0]?.path[0], wrong);
    }
  });
});
