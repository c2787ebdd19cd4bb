import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Helper } from '../../lib/client/helper.js';
import { HelperError } from '../../lib/errors.js';
import { createFetchmailTakeover } from '../../lib/fetchmail/take-over-service.js';
import { NEW_QUERY, type QueryValues } from '../../lib/fetchmail/schema.js';
import type { FetchmailService } from '../../lib/fetchmail/service.js';

const DIGEST = 'd'.repeat(64);
const QUERY: QueryValues = { ...NEW_QUERY, name: 'p.example.com', remoteUser: 'anna' };
const NOT_STOPPED = new HelperError({
  ...{ stage: 'run', key: 'takeover.fetchmail.notStopped', values: {}, detail: '' },
  restored: true,
});

/** A helper that cannot retire the file, which then is there or not. */
function takeOver({ still }: { still: boolean }) {
  const rows: { id: string; query: QueryValues }[] = [];
  let tried = false;
  const helper = {
    call: (action: string) => {
      if (action === 'fetchmailrc-retire') {
        tried = true;
        return Promise.reject(NOT_STOPPED);
      }
      const entry = { poll: 'p.example.com', user: 'anna', seenAs: 'anna@p', query: QUERY };
      const found = [{ ...entry, reason: '', values: {}, without: [] }];
      const read = { file: '/etc/fetchmailrc', digest: DIGEST, running: true, complaint: '' };
      return Promise.resolve(tried && !still ? null : { ...read, found });
    },
  } as unknown as Helper;
  const fetchmail = {
    list: () => Promise.resolve({ rows }),
    findRecipient: (query: QueryValues) => Promise.resolve(query),
    problems: () => Promise.resolve([]),
    addAll: (all: readonly QueryValues[]) => {
      rows.push(...all.map((query) => ({ id: '1', query })));
      return Promise.resolve({ change: {}, keys: [{ id: '1', version: 1 }] });
    },
    removeAll: (keys: readonly { id: string }[]) => {
      for (const { id } of keys)
        rows.splice(
          rows.findIndex((row) => row.id === id),
          1,
        );
      return Promise.resolve({});
    },
  } as unknown as FetchmailService;
  return { rows, takeover: createFetchmailTakeover({ helper, fetchmail }) };
}

describe('taking over a fetchmail', () => {
  it('leaves no queries behind when the old one goes on, so that it can be tried again', async () => {
    const { rows, takeover } = takeOver({ still: true });
    await assert.rejects(takeover.accept(DIGEST, 'anna'), NOT_STOPPED);
    assert.deepEqual(rows, []);
    const [entry] = (await takeover.look('anna'))?.entries ?? [];
    assert.equal(entry?.reason, '');
  });

  it('keeps the queries, switched off, once the file was put aside', async () => {
    const { rows, takeover } = takeOver({ still: false });
    await assert.rejects(takeover.accept(DIGEST, 'anna'), NOT_STOPPED);
    assert.deepEqual(
      rows.map(({ query }) => query.enabled),
      [false],
    );
  });
});
