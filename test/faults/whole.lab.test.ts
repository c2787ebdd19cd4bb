/**
 * Console, helper, or both are killed while a save is under way, or the database goes: afterwards database, files and daemon
 * agree on old or new.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { until } from '../support/wait.js';
import { WholeRounds } from '../support/whole-round.js';
import { WholeSystem, type Part } from '../support/whole-system.js';

/** Moments of a save, as shares of its length; `bench/faults.ts` plays any moment, hundreds of times. */
const MOMENTS = [0.2, 0.7];

describe('a save through the page', () => {
  let system: WholeSystem;
  let rounds: WholeRounds;
  before(async () => {
    system = await WholeSystem.start();
    rounds = await WholeRounds.begin(system);
  });
  after(() => system.stop());

  const victims: readonly (readonly [string, readonly Part[]])[] = [
    ['the console', ['console']],
    ['the helper and its listener', ['helper']],
    ['both', ['console', 'helper']],
  ];
  for (const [name, parts] of victims) {
    for (const moment of MOMENTS) {
      it(`in which ${name} is killed after ${moment * 100} % is done or not done`, async () => {
        await rounds.play(
          moment * rounds.saveMs,
          () => system.kill(parts),
          () => system.restore(),
        );
      });
    }
  }

  it('in which the helper is killed at its request is asked for again, and done', async () => {
    const outcome = await rounds.play(
      0.5 * rounds.saveMs,
      () => system.killRequests(),
      () => Promise.resolve(),
    );
    assert.equal(outcome, 'new');
  });

  it('goes through again afterwards', () => rounds.saveUndisturbed());
});

describe('a save through the page, with a database server', () => {
  let server: PostgresServer;
  let system: WholeSystem;
  let rounds: WholeRounds;
  before(async () => {
    server = await startPostgres();
    system = await WholeSystem.start({ databaseUrl: await server.createDatabase() });
    rounds = await WholeRounds.begin(system);
  });
  after(async () => {
    await system.stop();
    await server.stop();
  });

  for (const moment of MOMENTS) {
    it(`that is killed after ${moment * 100} % is done or not done when it is back`, async () => {
      await rounds.play(
        moment * rounds.saveMs,
        () => server.kill(),
        async () => {
          await server.start();
          await until('the console', async () => {
            await system.restore();
            return (await system.browser.get('/mail/').catch(() => null))?.status === 200;
          });
        },
      );
    });
  }
});
