/**
 * Program: a process with an embedded database that a test may kill. `node database-process.js MODE STATE_DIR`, where MODE is
 * `hold` (opens it and waits), `commit` (one row per commit, and its number on stdout once it is acknowledged),
 * `fill` (the same, with so much written ahead that a small disk is full soon), `block` (opens it and blocks the thread).
 */
import { startPGlite } from '../../lib/database/pglite.js';
import { openDatabase } from '../../lib/database/open.js';
import { watch } from '../../lib/database/watchdog.js';
import { recordingLog } from './log.js';

const [mode, stateDir] = process.argv.slice(2);
if (mode === undefined || stateDir === undefined) throw new Error('usage: MODE STATE_DIR');

const { log, entries } = recordingLog();
process.on('exit', () => {
  for (const { message } of entries) process.stderr.write(`${message}\n`);
});

if (mode === 'block') {
  const started = startPGlite(`${stateDir}/database`);
  await started.pglite.waitReady;
  watch(started, { log, silentSeconds: 3 });
  process.stdout.write('ready\n');
  // Long enough for the thread to come up; it needs this one for that.
  setTimeout(() => {
    for (;;);
  }, 1000);
} else {
  const { db } = await openDatabase({ stateDir, log });
  await db.raw('create table if not exists acknowledged (number int primary key, other int)');
  process.stdout.write('ready\n');
  const found = await db('acknowledged').max<{ max: number | null }[]>('number');
  let number = found[0]?.max ?? 0;
  while (mode !== 'hold') {
    number += 1;
    await db.transaction(async (trx) => {
      await trx('acknowledged').insert({ number, other: 0 });
      await trx('acknowledged').where({ number }).update({ other: number });
    });
    process.stdout.write(`${number}\n`);
    if (mode === 'fill') await db.raw('select pg_switch_wal()');
  }
}
