/** What the page says of a search that ended early. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { createFormats } from '../../lib/formats.js';
import { createI18n } from '../../lib/i18n.js';
import { PACKAGE_ROOT } from '../../lib/package-root.js';
import { ANYTHING, localTime, readTraceQuery } from '../../lib/trace/query.js';
import { viewTrace } from '../../lib/trace/view.js';

const DAY_S = 86_400;
const NOW = Math.floor(new Date(2026, 10, 28, 12, 0, 0).getTime() / 1000);

describe('a search that ended early', () => {
  it('goes on where it ended, not where a mail that waited for days had begun', () => {
    const t = createI18n(join(PACKAGE_ROOT, 'locales'), { product: 'Acme' }).translator('en');
    const waiting = {
      ids: ['AAAAAA1'],
      lines: [NOW - 3 * DAY_S, NOW].map((at) => ({
        at,
        program: 'postfix/qmgr',
        text: 'AAAAAA1: from=<anna@acme.example>, size=300, nrcpt=1 (queue active)',
      })),
      leftOut: 0,
      headless: false,
    };
    const seen = (limit: 'rows' | 'cancelled', reached: number): string | null => {
      const { olderHref } = viewTrace(
        { t, format: createFormats(t), path: '/mail/trace', pageOf: (path) => path },
        {
          ...{ wanted: ANYTHING, startedAt: new Date(), found: [waiting], failure: null },
          ...{ searched: 1, total: 2 },
          end: { limit, reached, source: 'file', searched: 1, unreadable: [] },
        },
        readTraceQuery({ sender: 'anna' }),
        1,
      );
      return new URL(olderHref, 'http://localhost').searchParams.get('to');
    };
    assert.equal(seen('rows', NOW - 60), localTime(NOW - 60));
    assert.equal(seen('cancelled', 0), localTime(NOW));
  });
});
