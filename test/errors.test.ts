import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HelperError } from '../lib/errors.js';

describe('HelperError', () => {
  it('survives the way over the border and back', () => {
    const failure = {
      stage: 'prove',
      key: 'helper.proof.relay',
      values: { port: 25 },
      detail: '250 2.1.5 Ok',
      restored: true,
    } as const;
    assert.deepEqual(new HelperError(new HelperError(failure).toFailure()).toFailure(), failure);
  });

  it('says that nothing was asked only when the helper could not be reached', () => {
    const failure = { key: 'helper.away', values: {}, detail: '', restored: true } as const;
    assert.equal(new HelperError({ ...failure, stage: 'connect' }).unreachable, true);
    assert.equal(new HelperError({ ...failure, stage: 'run' }).unreachable, false);
  });
});
