/** Many mails at once: what one request of the helper does not come to is asked for anew. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Helper } from '../../lib/client/helper.js';
import { HelperError } from '../../lib/errors.js';
import { createQuarantineJobs } from '../../lib/quarantine/jobs.js';
import { MAX_TOLD_FAILURES, type QuarantineActResult } from '../../lib/quarantine/schema.js';
import { silentLog } from '../support/log.js';

const WISH = { action: 'spam', evenInfected: false } as const;
const WAIT_MS = 60_000;

/** Comes to `each` mails a request, with all of which it fails. */
function slowHelper(each: number, onCall: (ids: readonly string[]) => void): Helper {
  const call = async (
    _action: string,
    _params: unknown,
    { input = [], onProgress }: Parameters<Helper['call']>[2],
  ): Promise<QuarantineActResult> => {
    const ids: string[] = [];
    for await (const piece of input) ids.push(...(piece as readonly string[]));
    onCall(ids);
    const handled = ids.slice(0, each);
    await onProgress?.({ done: handled.length, total: ids.length });
    return {
      ...{ done: 0, gone: 0, failed: handled.length, unlearnt: 0, cancelled: false },
      failures: handled
        .slice(0, MAX_TOLD_FAILURES)
        .map((id) => ({ id, why: 'tool' as const, detail: '' })),
      left: ids.length - handled.length,
    };
  };
  return { call: call as Helper['call'] };
}

describe('an action on many kept mails', () => {
  const ids = Array.from({ length: 130 }, (_, at) => `spam-mail${at}x`);
  const begin = (helper: Helper) => {
    const jobs = createQuarantineJobs(helper, { log: silentLog, onEnd: () => undefined });
    return { jobs, job: jobs.begin({ ...WISH, ids: [...ids, 'spam-mail0x'] }, 'anna', WAIT_MS) };
  };

  it('goes on until it has come to each, once, and counts what it does not tell one by one', async () => {
    const asked: (readonly string[])[] = [];
    const { job } = begin(slowHelper(60, (slice) => asked.push(slice)));
    const { result, failure, settled } = await job;
    assert.equal(failure, null);
    assert.deepEqual(asked, [ids, ids.slice(60), ids.slice(120)]);
    assert.equal(settled, 130);
    assert.deepEqual([result?.failed, result?.left, result?.cancelled], [130, 0, false]);
    assert.equal(result?.failures.length, MAX_TOLD_FAILURES);
  });

  it('ends where it was stopped between two requests', async () => {
    let calls = 0;
    const parts = begin(
      slowHelper(60, () => {
        calls += 1;
        parts.jobs.running().forEach(({ id }) => parts.jobs.cancel(id));
      }),
    );
    const { result } = await parts.job;
    assert.equal(calls, 1);
    assert.deepEqual([result?.failed, result?.left, result?.cancelled], [60, 70, true]);
  });

  it('keeps what it did when the helper fails later, and never runs in a circle', async () => {
    let calls = 0;
    const failing = slowHelper(60, () => {
      calls += 1;
      if (calls === 1) return;
      const key = 'helper.run.failed';
      throw new HelperError({ stage: 'run', key, values: {}, detail: '', restored: false });
    });
    const broken = await begin(failing).job;
    assert.equal(broken.failure?.key, 'helper.run.failed');
    assert.equal(broken.result?.failed, 60);
    const stuck = await begin(slowHelper(0, () => undefined)).job;
    assert.equal(stuck.failure?.key, 'helper.run.failed');
    assert.equal(stuck.result, null);
  });
});
