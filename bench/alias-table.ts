/**
 * The whole table of aliases, from the rows in the database to the running Postfix, on a private root: a save of all that
 * there is, and beside it, in the same run, the same rows streamed and no more, bare `postmap` on the same lines, and a
 * save of one alias.
 */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Knex } from 'knex';
import { aliasesSource } from '../lib/aliases/source.js';
import { readAllEnabled } from '../lib/aliases/store.js';
import { requestWithContents } from '../lib/changes/contents.js';
import { createSocketTransport } from '../lib/client/socket-transport.js';
import type { HelperTransport } from '../lib/contract.js';
import { HelperError } from '../lib/errors.js';
import type { ApplyResult } from '../lib/privileged/protocol.js';
import { engines } from '../test/support/databases.js';
import { startListener } from '../test/support/helper-sockets.js';
import { startPostfixRoot } from '../test/support/postfix-root.js';
import { median, timed } from './measure.js';

const ROUNDS = 6;
/** Milliseconds in which a helper that is started ahead is ready. */
const START_MS = 500;
const ALIASES = { aliases: { active: true, catchAll: false } };

export interface Building {
  /** Milliseconds, each the median of some rounds. */
  readonly whole: number;
  /** Of it, from the last entry on until the table was built, read back and in its place. */
  readonly rest: number;
  /** And then, until the running Postfix had proved itself. */
  readonly proof: number;
  /** The same rows, read, sent and checked by the same code; then the helper refuses. */
  readonly stream: number;
  readonly postmap: number;
  /** An apply of one alias on the same table: what any save takes besides. */
  readonly one: number;
}

export interface Circumstances {
  /** With a PostgreSQL server instead of the embedded database. */
  readonly server: boolean;
  /** Saved from a page that is open, as all saves of people are: a helper waits for it. */
  readonly foretold: boolean;
}

export async function measureBuilding(size: number, given: Circumstances): Promise<Building> {
  const start = engines[given.server ? 'a PostgreSQL server' : 'the embedded database'];
  if (!start) throw new Error('no database');
  const databases = await start();
  const root = await startPostfixRoot();
  const listener = await startListener(root);
  const scratch = await mkdtemp(join(tmpdir(), 'mailserver-bench-'));
  try {
    const transport = createSocketTransport({ path: listener.path });
    return await measureOn(transport, await databases.fresh(), scratch, { size, ...given });
  } finally {
    await listener.stop();
    await root.stop();
    await databases.stop();
    await rm(scratch, { recursive: true, force: true });
  }
}

async function measureOn(
  transport: HelperTransport,
  db: Knex,
  scratch: string,
  { size, foretold }: Circumstances & { readonly size: number },
): Promise<Building> {
  const databaseId = randomUUID();
  let change = 0;
  const request = (number: number, base: string | null, delta = new Map<string, unknown>()) => {
    const source = aliasesSource.contents;
    if (!source) throw new Error('aliases have contents');
    const sections = new Map([['aliases', { source, base, delta }]]);
    const params = { databaseId, change: number, dryRun: false, sections: ALIASES };
    const contents = { sections, sources: new Map([['aliases', aliasesSource]]), db };
    return requestWithContents(transport, params, 'bench', contents) as Promise<ApplyResult>;
  };
  /** As the page does that is open before a save: a helper waits. */
  const expectOne = async () => {
    transport.expect?.('apply');
    await setTimeout(START_MS);
  };
  const apply = (base: string | null, delta?: Map<string, unknown>) => {
    change += 1;
    return request(change, base, delta);
  };
  const sections = { domains: { names: ['example.org'] } };
  change += 1;
  const first = { databaseId, change, dryRun: false, sections };
  await transport.request('apply', first, { actor: 'bench' });
  await addRows(db, 1, 1);
  // The first one changes main.cf too.
  await apply(null);
  await addRows(db, 2, size);
  const times: Record<keyof Building, number[]> = {
    ...{ whole: [], rest: [], proof: [], stream: [], postmap: [], one: [] },
  };
  // Another table each time: one that is there already is not built again.
  let last = size;
  const addOne = () => addRows(db, (last += 1), last);
  const ready = async () => {
    await addOne();
    if (foretold) await expectOne();
  };
  const streamOnly = async () => {
    await ready();
    times.stream.push(await timed(() => refused(request(change, null))));
  };
  const buildAndAddOne = async () => {
    await ready();
    const begun = performance.now();
    const { contents, timing } = await apply(null);
    times.whole.push(performance.now() - begun);
    const { render = 0, check = 0, swap = 0, prove = 0 } = timing;
    times.rest.push(render + check + swap);
    times.proof.push(prove);
    const entry = new Map([[`one-more-${last}@example.org`, ['alice']]]);
    if (foretold) await expectOne();
    times.one.push(await timed(() => apply(contents?.['aliases'] ?? null, entry)));
  };
  const bare = async () => {
    const table = join(scratch, `table-${last}`);
    await writeFile(table, await textOf(db));
    const postmap = () => promisify(execFile)('/usr/sbin/postmap', [`lmdb:${table}`]);
    times.postmap.push(await timed(postmap));
  };
  for (let round = 0; round < ROUNDS; round += 1) {
    // Neither has the advantage of coming after the other.
    const both = [streamOnly, buildAndAddOne];
    for (const work of round % 2 === 0 ? both : both.toReversed()) await work();
    await bare();
  }
  const { whole, rest, proof, stream, postmap, one } = times;
  return {
    ...{ whole: median(whole), rest: median(rest), proof: median(proof) },
    ...{ stream: median(stream), postmap: median(postmap), one: median(one) },
  };
}

/** What was sent is not what was done under that number: so it says once it has it all. */
async function refused(request: Promise<unknown>): Promise<void> {
  const error = await request.then(
    () => null,
    (cause: unknown) => cause,
  );
  if (error instanceof HelperError && error.key === 'helper.validate.outdated') return;
  throw new Error('the rows alone were not refused', { cause: error });
}

async function addRows(db: Knex, from: number, to: number): Promise<void> {
  await db.raw(
    `insert into mail_aliases (name, targets, updated_by)
     select 'person.' || n || '@example.org', array['alice', 'target' || n || '@outside.example'], 'bench'
       from generate_series(?::integer, ?::integer) as n`,
    [from, to],
  );
}

/** The lines of the table, in the order in which the rows come. */
async function textOf(db: Knex): Promise<string> {
  const lines: string[] = [];
  for await (const page of readAllEnabled(db)) {
    for (const [name, [local = '', address = '']] of page) {
      lines.push(`${name}\t${local}@example.org, ${address}\n`);
    }
  }
  return lines.join('');
}

/**
 * In words. Goal: what is not streaming takes 1.3 times what `postmap` takes. Said three times: without what any save does
 * besides, which a save of one shows; until the table is in its place; and with all, the proof included.
 */
export function buildingInWords(measured: Building): readonly string[] {
  const { whole, rest, proof, stream, postmap, one } = measured;
  const most = stream + 1.3 * postmap;
  const ratio = (time: number) => (time / most).toFixed(2);
  const ms = (time: number) => `${Math.round(time)} ms`;
  return [
    `the whole table, from the rows ${ms(whole)}; a save of one takes ${ms(one)}`,
    `the rows streamed and no more ${ms(stream)}; bare postmap on the same lines ${ms(postmap)}`,
    `from the last row to the table in its place ${ms(rest)}, then ${ms(proof)} of proof`,
    `over stream + 1.3 x postmap: less a save of one ${ratio(whole - one)}, table in place ${ratio(whole - proof)}, the whole save ${ratio(whole)}`,
  ];
}
