/** Whatever is switched, killed and put right, in whatever order: the picture of the chain is what asking finds. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startPostfixRoot, type PostfixRoot } from '../support/postfix-root.js';
import { Saver } from '../support/saver.js';
import { runScanRounds } from '../support/scan-rounds.js';

/** Holds each kind of step; more of them are taken by `bench/security.ts steps`. */
const SEED = 20;

describe('scanners and policy servers', () => {
  let root: PostfixRoot;
  before(async () => {
    root = await startPostfixRoot({ started: false });
    const setting = 'smtpd_authorized_xclient_hosts=127.0.0.1';
    await root.run('/usr/sbin/postconf', ['-c', root.places.configDir, '-e', setting]);
    assert.equal((await root.postfix('start')).code, 0);
  });
  after(() => root.stop());

  it('are as their picture says after ten random steps, and mail flows or waits with it', async () => {
    const saver = new Saver(root.helper);
    await saver.save({ domains: { names: ['lab.test'] } });
    const steps: string[] = [];
    await runScanRounds(root, saver, {
      ...{ count: 10, seed: SEED },
      onRound: ({ step }) => steps.push(step),
    });
    for (const kind of [/^save policy/, /^save (?!policy)/, /^kill/, /^put right/]) {
      assert.ok(
        steps.some((step) => kind.test(step)),
        `no step ${kind.source}: ${steps.join(', ')}`,
      );
    }
  });
});
