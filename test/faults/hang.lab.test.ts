/** A real helper stops in the midst of a save and holds its lock: what is said then, and how it comes to its end. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import type { BaseSettings } from '../../lib/base/schema.js';
import { baseSource } from '../../lib/base/source.js';
import { createChanges, type Changes } from '../../lib/changes/service.js';
import type { HelperTransport } from '../../lib/contract.js';
import { migrateMail } from '../../lib/database/mail-schema.js';
import { HelperError } from '../../lib/errors.js';
import { readSettings, writeSettings } from '../../lib/settings/store.js';
import { faultyTransport, SAVE_POINTS } from '../support/faults.js';
import { silentLog } from '../support/log.js';
import { openMemoryDatabase, type MemoryDatabase } from '../support/memory-database.js';
import { startPostfixRoot, type PostfixRoot } from '../support/postfix-root.js';
import { hasEnded, stoppedHelper } from '../support/stopped-helper.js';
import { until } from '../support/wait.js';

/** Long enough for the helper to come to the point at which it stops, on a busy machine too. */
const PATIENCE = { lookMs: 20_000, silenceMs: 20_000 };

describe('a helper that hangs in the midst of a save', () => {
  let root: PostfixRoot;
  let database: MemoryDatabase;
  let changes: Changes;
  let saving: HelperTransport;
  before(async () => {
    [root, database] = await Promise.all([startPostfixRoot(), openMemoryDatabase()]);
    await migrateMail(database.db);
    saving = root.transport;
    const helper: HelperTransport = {
      request: (action, params, options) => {
        if (action === 'apply') return saving.request(action, params, options);
        const limit = options.timeoutMs === undefined ? {} : { timeoutMs: 1_000 };
        return root.transport.request(action, params, { ...options, ...limit });
      },
    };
    changes = createChanges({ db: database.db, helper, sources: [baseSource], log: silentLog });
    await save('mx0.example');
  });
  after(async () => {
    await changes.close();
    await database.close();
    await root.stop();
  });

  const save = async (mailServerName: string) => {
    const { sections } = await root.helper.call('read', { sections: ['base'] }, { actor: 'test' });
    const settings = { ...(sections['base']?.settings as BaseSettings), mailServerName };
    const version = (await readSettings(database.db, 'base'))?.version ?? 0;
    return changes.save({
      actor: 'anna',
      title: { key: 'changes.title.base', values: {} },
      sections: ['base'],
      write: (trx) => writeSettings(trx, 'base', settings, { actor: 'anna', version }),
    });
  };

  for (const [signal, point] of [
    ['SIGCONT', 'open the journal'],
    ['SIGKILL', 'put the new main.cf in place'],
    ['SIGCONT', 'put the new state in place'],
  ] as const) {
    it(`before it could ${point}: nobody claims anything, and after ${signal} settings and system agree`, async () => {
      const stop = SAVE_POINTS.find(({ name }) => name === point);
      assert.ok(stop);
      saving = faultyTransport(root, stop, { signal: 'STOP' }, PATIENCE);
      await assert.rejects(
        save('mx1.example'),
        (error) => error instanceof HelperError && error.key === 'helper.unsettled',
      );
      assert.equal((await changes.history()).changes[0]?.state, 'applying');

      saving = root.transport;
      const hung = await stoppedHelper(root);
      assert.ok(hung !== null);
      process.kill(hung, signal);
      await until('the end of the helper that hung', () => hasEnded(hung));
      // By itself, or because it is asked to: the timer of an earlier save may be quicker.
      await changes.recover();
      const state = (await changes.history()).changes[0]?.state;
      assert.match(state ?? '', /^(applied|refused)$/);
      const main = await readFile(`${root.places.configDir}/main.cf`, 'utf8');
      assert.equal(/^myhostname = mx1\.example$/m.test(main), state === 'applied');
      const saved = (await readSettings<BaseSettings>(database.db, 'base'))?.settings;
      assert.equal(saved?.mailServerName === 'mx1.example', state === 'applied');
      assert.deepEqual(await root.helper.call('drift', {}, { actor: 'test' }), []);
      await save('mx0.example');
    });
  }
});
