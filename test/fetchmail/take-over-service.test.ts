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

type Row = { id: string; query: QueryValues & { id?: string; version?: number } };

/** A helper that cannot retire the file, which then is there or not; or that can, where `retires`. */
function takeOver({ still, retires = false }: { still: boolean; retires?: boolean }) {
  const rows: Row[] = [];
  const switched: string[] = [];
  let tried = false;
  const helper = {
    call: (action: string) => {
      if (action === 'fetchmailrc-retire') {
        tried = true;
        return retires ? Promise.resolve({}) : Promise.reject(NOT_STOPPED);
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
    switchAll: (keys: readonly { id: string }[]) => {
      switched.push(...keys.map(({ id }) => id));
      return Promise.resolve({});
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
  return { rows, switched, takeover: createFetchmailTakeover({ helper, fetchmail }) };
}

describe('taking over a fetchmail', () => {
  it('leaves no queries behind when the old one goes on, so that it can be tried again', async () => {
    const { rows, takeover } = takeOver({ still: true });
    await assert.rejects(takeover.accept(DIGEST, 'anna'), NOT_STOPPED);
    assert.deepEqual(rows, []);
    const [entry] = (await takeover.look('anna'))?.entries ?? [];
    assert.equal(entry?.reason, '');
  });

  it('goes on where it was cut short, and touches no query that somebody made or switched off', async () => {
    const { rows, switched, takeover } = takeOver({ still: true, retires: true });
    rows.push({ id: '7', query: { ...QUERY, id: '7', version: 2, enabled: false } });
    assert.equal((await takeover.look('anna'))?.entries[0]?.waits?.id, '7');
    await takeover.accept(DIGEST, 'anna');
    assert.deepEqual(switched, ['7']);
    assert.equal(rows.length, 1);
    for (const other of [{ enabled: true }, { enabled: false, interval: 4_321 }]) {
      rows.splice(0, 1, { id: '7', query: { ...QUERY, ...other } });
      const [entry] = (await takeover.look('anna'))?.entries ?? [];
      assert.equal(entry?.reason, 'fetchmail.problem.taken');
    }
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
