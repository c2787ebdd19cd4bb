import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createFormats } from '../../lib/formats.js';
import type { QuarantineJob } from '../../lib/quarantine/jobs.js';
import { viewJob } from '../../lib/quarantine/view.js';

it('does not say of mail that it was learnt when it was only delivered', () => {
  const job: QuarantineJob = {
    ...{ id: '1', action: 'ham', actor: 'anna', startedAt: new Date(), total: 2, settled: 2 },
    ...{ failure: null },
    result: {
      ...{ done: 2, gone: 0, failed: 0, unlearnt: 2, left: 0, cancelled: false },
      failures: [{ id: 'spam-abcdefghijkl', why: 'learn', detail: 'no room' }],
    },
  };
  const t = Object.assign((key: string) => key, { language: 'en', locale: 'en-GB' });
  const parts = { t, format: createFormats(t), path: '', pageOf: () => '' };
  const shown = viewJob(parts, job, () => true) as Record<string, unknown>;
  assert.equal(shown['title'], 'quarantine.ended.release');
  assert.deepEqual(shown['outcome'], ['quarantine.done.release']);
  assert.equal(shown['kind'], 'warn');
  assert.equal(shown['untold'], 'quarantine.untold', 'one of two is shown');
});
