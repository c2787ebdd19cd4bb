/**
 * Aliases by the thousand in a lab, over the pages as a person uses them: import of all, list and search, one alias saved
 * and asked of the running Postfix, 1,000 removed at once; each beside `postmap` or `postalias` on the same table in the
 * same run; then the whole table from the rows on (`alias-build.ts`). `node dist/bench/aliases.js [--server] [sizes]`, as root;
 * sizes default to 100 1000 10000 100000 300000. With `--server` the database is a PostgreSQL server, so that the memory
 * of the console is its own.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ConsoleClient, Page } from '../test/support/console-client.js';
import { startLab } from '../test/support/lab.js';
import { startPostgres } from '../test/support/postgres.js';
import { buildingInWords, measureBuilding } from './alias-table.js';

const DEFAULT_SIZES = [100, 1_000, 10_000, 100_000, 300_000];
const ROUNDS = 15;
/** A person comes back to the list after a while, when what is known of the machine is old. Milliseconds. */
const AWAY_MS = 4_000;
const RETURNS = 3;
const SAVES = 8;
const BULK = 1_000;
/** So much address space follows the memory of WebAssembly, in KiB. */
const RESERVED_KIB = 4 * 1024 * 1024;
/** USER_HZ is 100 on Linux. */
const MS_PER_TICK = 10;
const ACTION = '/mail/aliases/new';
const TRANSFER = '/mail/aliases/transfer';

const run = promisify(execFile);
const given = process.argv.slice(2);
const sizes = given.filter((word) => word !== '--server').map(Number);
const server = given.includes('--server') ? await startPostgres() : null;
const environment = server ? { DATABASE_URL: await server.createDatabase() } : {};
const lab = await startLab({ environment });
const scratch = await mkdtemp(join(tmpdir(), 'mailserver-bench-'));
try {
  const client = await lab.signIn();
  const domains = '/mail/configuration/domains';
  await client.submit(domains, { name: 'example.org' }, { action: domains });
  await client.submit(
    ACTION,
    { name: 'first', targets: 'alice', enabled: '1' },
    { action: ACTION },
  );
  let before = 0;
  for (const size of sizes.length > 0 ? sizes : DEFAULT_SIZES) {
    console.log(`\n${size.toLocaleString('en')} aliases`);
    await importUpTo(client, before, size);
    await look(client, size);
    await saveOne(client, size);
    await removeMany(client, size);
    const building = await measureBuilding(size, { server: server !== null, foretold: true });
    for (const line of buildingInWords(building)) console.log(`  ${line}`);
    before = size;
  }
} finally {
  await lab.stop();
  await server?.stop();
  await rm(scratch, { recursive: true, force: true });
}

function nameOf(index: number): string {
  return `person.${index}@example.org`;
}

async function importUpTo(client: ConsoleClient, from: number, to: number): Promise<void> {
  const numbers = Array.from({ length: to - from }, (_, index) => from + index + 1);
  const lines = numbers.map((n) => `${nameOf(n)},alice target${n}@outside.example,Note ${n},yes`);
  const form = new FormData();
  form.set('_csrf', tokenOf(await client.get(TRANSFER)));
  form.set('file', new Blob([`name,targets,note,enabled\n${lines.join('\n')}\n`]), 'aliases.csv');
  await forgetPeak();
  const started = performance.now();
  const sent = await client.request('POST', TRANSFER, form);
  const preview = sent.headers.get('location') ?? '';
  await untilIdle(client, preview);
  const read = performance.now() - started;
  const page = await client.get(preview);
  const begun = performance.now();
  const body = new URLSearchParams({ _csrf: tokenOf(page) });
  const answer = await client.request('POST', preview, body);
  // While so many rows are written the embedded database has no time for a page: it is under way all the same.
  if (answer.status !== 303 && answer.status !== 503) {
    throw new Error(`the import was refused: ${answer.status}`);
  }
  await untilIdle(client, preview);
  const saved = performance.now() - begun;
  const memory = await memoryInWords(await consolePeak());
  const looked = await timed(() => untilLooked(client));
  const bare = await bareBuild(Array.from({ length: to }, (_, index) => index + 1));
  const [change] = /\/mail\/history\/\d+/.exec((await client.get('/mail/history')).html) ?? [''];
  say('import, reading and preview', read, `${to - from} lines`);
  say('import, saved and proved', saved, `postmap of the same table ${ms(bare.postmap)}`);
  say('  the same table with postalias', bare.postalias, change);
  say('  states of all known after', looked, memory);
}

async function untilIdle(client: ConsoleClient, path: string): Promise<void> {
  for (;;) {
    // A kept connection may end just when it is used again; a browser would ask once more.
    const page = await client.get(path).catch(() => null);
    if (page?.status === 200 && !page.html.includes('id="import"')) return;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

/** The list says so while there are aliases that nobody has looked at yet. */
async function untilLooked(client: ConsoleClient): Promise<void> {
  for (;;) {
    const page = await client.get('/mail/aliases?q=zqzqzq&state=fine').catch(() => null);
    if (page && !page.html.includes('still being checked')) return;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

/** The same entries as the table has, built by the bare tools. */
async function bareBuild(numbers: readonly number[]) {
  const text = numbers.map((n) => `${nameOf(n)}\talice@example.org, target${n}@outside.example\n`);
  const table = join(scratch, 'table');
  await writeFile(table, text.join(''));
  const aliases = join(scratch, 'aliases');
  await writeFile(
    aliases,
    numbers.map((n) => `person.${n}: alice, target${n}@outside.example\n`),
  );
  return {
    postmap: await timed(() => run('/usr/sbin/postmap', [`lmdb:${table}`])),
    postalias: await timed(() => run('/usr/sbin/postalias', [`lmdb:${aliases}`])),
  };
}

async function look(client: ConsoleClient, size: number): Promise<void> {
  const some = Math.ceil(size * 0.7);
  const paths = {
    'list, first page': '/mail/aliases',
    'list, a page in the middle': `/mail/aliases?after=${encodeURIComponent(nameOf(some))}`,
    'list, by target': '/mail/aliases?sort=goes',
    'list, by state': '/mail/aliases?sort=-state',
    'list, with a problem': '/mail/aliases?state=trouble',
    'search, one alias': `/mail/aliases?q=${encodeURIComponent(`person.${some}@`)}`,
    'search, a target': `/mail/aliases?q=target${some}@`,
    'search, a note': `/mail/aliases?q=${encodeURIComponent(`Note ${some}`)}`,
    'search, nothing': '/mail/aliases?q=zqzqzq',
    'search, everything': '/mail/aliases?q=outside',
  };
  const memory = await consoleMemory();
  for (const [what, path] of Object.entries(paths)) {
    const times: number[] = [];
    let bytes = 0;
    const worked = await consoleWork();
    for (let round = 0; round < ROUNDS; round += 1) {
      const begun = performance.now();
      const answer = await client.request('GET', path);
      const html = await answer.text();
      times.push(performance.now() - begun);
      bytes = Buffer.byteLength(html);
      if (answer.status !== 200) throw new Error(`${path}: ${answer.status}`);
    }
    const work = ms(((await consoleWork()) - worked) / ROUNDS);
    const best = ms(Math.min(...times));
    say(what, median(times), `best ${best}, ${Math.round(bytes / 1000)} kB, processor ${work}`);
  }
  const returns: number[] = [];
  for (let round = 0; round < RETURNS; round += 1) {
    await new Promise((resolve) => setTimeout(resolve, AWAY_MS));
    returns.push(await timed(() => client.get('/mail/aliases')));
  }
  say('list, after a while', median(returns), `best ${ms(Math.min(...returns))}`);
  const now = await consoleMemory();
  console.log(`  ${await memoryInWords(now)}, ${now - memory} MB more than before these pages`);
}

/** From the press of the button to the running Postfix taking mail for it. */
async function saveOne(client: ConsoleClient, size: number): Promise<void> {
  const times: number[] = [];
  const asked: number[] = [];
  const reloads = await countReloads();
  const worked = [await consoleWork(), await helperWork()] as const;
  for (let round = 0; round < SAVES; round += 1) {
    const name = `saved-${size}-${round}@example.org`;
    if ((await recipientCode(name)) < 500) throw new Error(`${name} is there already`);
    const page = await client.get(ACTION);
    const body = new URLSearchParams({
      ...{ _csrf: tokenOf(page), version: '0', intent: 'save' },
      ...{ name, targets: 'alice', enabled: '1' },
    });
    const begun = performance.now();
    const answer = await client.request('POST', ACTION, body);
    times.push(performance.now() - begun);
    if (answer.status !== 303) throw new Error(`not saved: ${answer.status}`);
    if ((await recipientCode(name)) !== 250) throw new Error(`${name} is not taken`);
    asked.push(performance.now() - begun);
  }
  const inConsole = ms(((await consoleWork()) - worked[0]) / SAVES);
  const inHelper = ms(((await helperWork()) - worked[1]) / SAVES);
  const bare = await timed(async () => {
    await run('/usr/sbin/postmap', ['-q', nameOf(1), `lmdb:${join(scratch, 'table')}`]);
  });
  const processor = `processor: console ${inConsole}, helper and its tools ${inHelper}`;
  say('one alias saved', median(times), `best ${ms(Math.min(...times))}, ${processor}`);
  say('  and asked of Postfix', median(asked), `one bare postmap -q takes ${ms(bare)}`);
  console.log(`  reloads of Postfix: ${(await countReloads()) - reloads}`);
}

async function removeMany(client: ConsoleClient, size: number): Promise<void> {
  const rows: string[] = [];
  let path = `/mail/aliases?q=${encodeURIComponent('person.')}`;
  while (rows.length < Math.min(BULK, size / 2)) {
    const { html } = await client.get(path);
    rows.push(...[...html.matchAll(/name="row" value="([\d.]+)"/g)].map(([, key = '']) => key));
    const next = /href="([^"]+)" rel="next"/.exec(html)?.[1];
    if (next === undefined) break;
    path = next.replaceAll('&amp;', '&');
  }
  const token = tokenOf(await client.get('/mail/aliases'));
  const body = new URLSearchParams({ _csrf: token, do: 'remove', row: rows.join(' ') });
  const begun = performance.now();
  const answer = await client.request('POST', '/mail/aliases/act', body);
  const took = performance.now() - begun;
  if (answer.status !== 303) throw new Error(`not removed: ${answer.status}`);
  say(`${rows.length} aliases removed`, took, '');
}

function tokenOf({ html }: Page): string {
  return /name="_csrf" value="([^"]+)"/.exec(html)?.[1] ?? '';
}

async function recipientCode(to: string): Promise<number> {
  const { recipients } = await lab.sendMail({ from: 'x@example.net', to, subject: 'never sent' });
  return recipients[0]?.code ?? 0;
}

async function countReloads(): Promise<number> {
  return (await lab.mailLog()).split('\n').filter((line) => /reload -- version/.test(line)).length;
}

async function consoleMemory(what = /VmRSS:\s+(\d+)/): Promise<number> {
  const { pids } = await lab.facts();
  const status = await readFile(`/proc/${pids.console}/status`, 'utf8');
  return Math.round(Number(what.exec(status)?.[1] ?? 0) / 1024);
}

function consolePeak(): Promise<number> {
  return consoleMemory(/VmHWM:\s+(\d+)/);
}

/** `total` MB, and how much of that is the embedded database's own. */
async function memoryInWords(total: number): Promise<string> {
  const database = await databaseMemory();
  const own = database === 0 ? '' : `, ${database} MB of it the embedded database`;
  return `memory of the console ${total} MB${own}`;
}

/** The memory of WebAssembly is the largest piece in front of a reserved one of gigabytes (proc_pid_smaps(5)). */
async function databaseMemory(): Promise<number> {
  const { pids } = await lab.facts();
  const text = await readFile(`/proc/${pids.console}/smaps`, 'utf8');
  const pieces = text.matchAll(
    /^[0-9a-f]+-[0-9a-f]+ (\S+) .*\nSize: +(\d+) kB\n(?:.*\n)*?Rss: +(\d+) kB/gm,
  );
  let before = { writable: false, resident: 0 };
  let most = 0;
  for (const [, mode = '', size, resident] of pieces) {
    if (before.writable && mode.startsWith('---') && Number(size) > RESERVED_KIB) {
      most = Math.max(most, before.resident);
    }
    before = { writable: mode.startsWith('rw'), resident: Number(resident) };
  }
  return Math.round(most / 1024);
}

/** From here on the kernel counts the most memory anew (proc_pid_clear_refs(5)). */
async function forgetPeak(): Promise<void> {
  const { pids } = await lab.facts();
  await writeFile(`/proc/${pids.console}/clear_refs`, '5');
}

/** Processor time of the console since its start, in milliseconds: on a busy machine it says more than the clock. */
async function consoleWork(): Promise<number> {
  const [own] = await workOf((await lab.facts()).pids.console);
  return own;
}

/** The same of the helper's processes that have ended, and of all that they started. */
async function helperWork(): Promise<number> {
  const [own, children] = await workOf((await lab.facts()).pids.helper);
  return own + children;
}

/** Of the process, and of its children that have ended (proc_pid_stat(5)). */
async function workOf(pid: number): Promise<readonly [own: number, children: number]> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const [user = 0, system = 0, ...children] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 15)
    .map((ticks) => Number(ticks) * MS_PER_TICK);
  return [user + system, children.reduce((sum, one) => sum + one, 0)];
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

function median(times: readonly number[]): number {
  return [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
}

function ms(time: number): string {
  return time < 10_000 ? `${Math.round(time)} ms` : `${(time / 1000).toFixed(1)} s`;
}

function say(what: string, time: number, more: string): void {
  console.log(`  ${what.padEnd(32)} ${ms(time).padStart(8)}   ${more}`);
}
