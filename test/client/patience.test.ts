import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createSocketTransport } from '../../lib/client/socket-transport.js';
import { limitsOf, PATIENCE } from '../../lib/client/patience.js';
import { HelperError } from '../../lib/errors.js';
import { ACTION_NAMES, loadAction } from '../../lib/privileged/actions/index.js';
import { startSilentHelper, type SilentHelper } from '../support/silent-helper.js';

/** What the helper itself says: the one that looks only stands in no log, or never among the changes. */
async function onlyLooks(name: string): Promise<boolean> {
  const action = await loadAction(name);
  return action?.quiet === true || action?.changes === 'never';
}

describe('the patience with the helper', () => {
  let silent: SilentHelper;
  before(async () => {
    silent = await startSilentHelper();
  });
  after(() => silent.stop());

  for (const name of ACTION_NAMES) {
    it(`ends for ${name} when it takes the request and says nothing, and knows whether that changed anything`, async () => {
      const helper = createSocketTransport({
        path: silent.path,
        patience: { lookMs: 10, silenceMs: 10 },
      });
      const harmless = await onlyLooks(name);
      await assert.rejects(helper.request(name, {}, { actor: 'me' }), (error) => {
        assert.ok(error instanceof HelperError);
        assert.deepEqual([error.key, error.restored], ['helper.connect.timeout', harmless]);
        return true;
      });
    });
  }

  it('takes a dry run for what it is', () => {
    assert.equal(limitsOf('apply', { dryRun: true }, PATIENCE).harmless, true);
    assert.equal(limitsOf('apply', { dryRun: false }, PATIENCE).harmless, false);
  });

  it('takes an action nobody knows for one that changes something', () => {
    assert.equal(limitsOf('constructor', {}, PATIENCE).harmless, false);
  });
});
