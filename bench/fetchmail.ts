/**
 * Fetching mail, measured. `node dist/bench/fetchmail.js save [queries]`: the list page and one save with so many
 * queries, beside a bare `fetchmail --configdump`. `... kill [rounds]`: mail fetched while fetchmail, helper, console and
 * Postfix are killed; every message must arrive exactly once. `... many [messages]`: a large mailbox, a large message and a
 * slow line that breaks, by IMAP and POP3. `... login [pairs]`: users and passwords at random, each refused or logged in
 * exactly as typed. As root.
 */
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import fc from 'fast-check';
import request from 'supertest';
import { createSocketTransport } from '../lib/client/socket-transport.js';
import type { DirectoryUser, HelperTransport } from '../lib/contract.js';
import { migrateMail } from '../lib/database/mail-schema.js';
import { FETCH_ORDERS, fetchPlaces } from '../lib/fetcher/places.js';
import { fetchOnce, testOnce } from '../lib/fetcher/poll.js';
import { renderRunControl } from '../lib/fetchmail/run-control.js';
import { insertQuery } from '../lib/fetchmail/store.js';
import {
  faultsOf,
  NEW_QUERY,
  passwordFault,
  type FetchQuery,
  type QueryValues,
} from '../lib/fetchmail/schema.js';
import { bindingOf } from '../lib/fetchmail/security.js';
import { seal } from '../lib/secrets/seal.js';
import { startCuttingProxy } from '../test/support/cutting-proxy.js';
import { createDummyHost } from '../test/support/dummy-host.js';
import { startFetchPost } from '../test/support/fetch-post.js';
import { startFetchLab } from '../test/support/fetch-lab.js';
import { killRounds } from '../test/support/fetch-rounds.js';
import { formFields } from '../test/support/forms.js';
import { openMemoryDatabase } from '../test/support/memory-database.js';
import { someQuery } from '../test/support/queries.js';
import { startRemoteMailboxes } from '../test/support/remote-mailboxes.js';
import { startListener } from '../test/support/helper-sockets.js';
import { startPostfixRoot } from '../test/support/postfix-root.js';
import { median, timed } from './measure.js';

const PATH = '/mail/fetchmail';
const ALICE: DirectoryUser = {
  ...{ id: '1000', login: 'alice', name: 'Alice', addresses: [], hasMailbox: true },
  ...{ system: false, locked: false, groups: [] },
};
/** Times that are measured; the middle one counts. */
const TIMES = 7;

const [what = 'save', count = ''] = process.argv.slice(2);
if (what === 'kill') await kills(Number(count || 120));
else if (what === 'many') await many(Number(count || 5_000));
else if (what === 'login') await logins(Number(count || 200));
else await saves(Number(count || 500));

async function kills(rounds: number): Promise<void> {
  const at = await startFetchLab();
  const started = performance.now();
  try {
    const onRound = (round: number): void => {
      if (round % 10 === 0) console.log(`${round} rounds`);
    };
    const ledger = await killRounds(at, { rounds, messages: rounds * 5, onRound });
    const { messages, told, byPostfix } = ledger;
    const seconds = Math.round((performance.now() - started) / 1_000);
    console.log(
      `${rounds} rounds in ${seconds} s, ${messages} messages: nothing lost, nothing twice without a word`,
    );
    console.log(`told that they may be here twice, and are: ${told}`);
    console.log(
      `fetched once, put into the mailbox twice by a Postfix killed over it: ${byPostfix}`,
    );
  } finally {
    await at.stop();
  }
}

/** Signs that mean something to fetchmail, to IMAP or to Dovecot come as often as any others. */
async function logins(pairs: number): Promise<void> {
  const sign = fc.oneof(
    fc.constantFrom(...' "\\\'#{}()*%$`@:;,=+/\t\n\r\0\u0085\u2028\ud800ß\u0301🙂'.split('')),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 1 }),
  );
  const text = fc.array(sign, { minLength: 1, maxLength: 24 }).map((signs) => signs.join(''));
  const remote = await startRemoteMailboxes();
  const root = await mkdtemp(join(tmpdir(), 'mailserver-login-'));
  const counted = { refused: 0, made: 0, wrong: 0 };
  try {
    const chosen = new Map(fc.sample(fc.tuple(text, text), pairs));
    const queryOf = (remoteUser: string): FetchQuery =>
      someQuery({
        ...{ protocol: 'imap', remoteUser, port: remote.ports.imap, server: '127.0.0.1' },
        ...{ sameServer: false, ssl: 'none', certificate: 'none', timeout: 30 },
      });
    for (const [user, password] of chosen) {
      if (passwordFault(password) !== null || faultsOf(queryOf(user)).length > 0) {
        counted.refused += 1;
        continue;
      }
      await remote.addUser(user, password);
      // Dovecot looks for new users once a second.
      await pause(1_500);
      const parts = { password, home: '', isLocal: () => true };
      const end = await testOnce(fetchPlaces(root), null, renderRunControl(queryOf(user), parts));
      const right = end.result.outcome === 'nothing';
      counted[right ? 'made' : 'wrong'] += 1;
      if (!right) console.log(JSON.stringify([user, password]), end.result.outcome);
    }
  } finally {
    await remote.stop();
    await rm(root, { recursive: true, force: true });
  }
  const { refused, made, wrong } = counted;
  console.log(
    `${made} logged in exactly as typed, ${refused} refused by the form, ${wrong} neither`,
  );
  if (wrong > 0) process.exitCode = 1;
}

/** Without a lab: a provider, the fetcher's own code, and what takes the mail in place of Postfix. */
async function many(messages: number): Promise<void> {
  const remote = await startRemoteMailboxes();
  const post = await startFetchPost();
  const root = await mkdtemp(join(tmpdir(), 'mailserver-many-'));
  const places = fetchPlaces(root);
  await mkdir(root + FETCH_ORDERS, { recursive: true });
  let id = 0;
  const fetch = async (protocol: 'imap' | 'pop3', texts: readonly string[], slow = false) => {
    id += 1;
    const user = `many-${id}`;
    await remote.addUser(user, 'secret');
    await remote.put(user, texts);
    // Dovecot looks for new users once a second.
    await pause(1_500);
    const proxy = slow ? await startCuttingProxy(remote.ports[protocol], 10_000_000, 1) : null;
    const query = someQuery({
      ...{ id: String(id), protocol, remoteUser: user, server: '127.0.0.1', sameServer: false },
      ...{ ssl: 'none', certificate: 'none', port: proxy?.port ?? remote.ports[protocol] },
    });
    const parts = { password: 'secret', home: 'home.example', isLocal: () => true };
    await writeFile(places.runControl(query.id), renderRunControl(query, parts), { mode: 0o600 });
    const before = post.messages.length;
    const started = performance.now();
    const outcomes: string[] = [];
    while ((await remote.count(user)) > 0) {
      outcomes.push((await fetchOnce(places, query.id, post.port)).result.outcome);
    }
    proxy?.stop();
    const came = post.messages.slice(before);
    const seconds = ((performance.now() - started) / 1_000).toFixed(1);
    const twice = came.length - new Set(came.map((text) => /^Subject: .*$/m.exec(text)?.[0])).size;
    const memory = Math.round(process.memoryUsage().rss / 1_048_576);
    console.log(
      `${protocol}: ${texts.length} messages, ${came.length} came, ${twice} twice, ${seconds} s (${outcomes.join(', ')}), ${memory} MB`,
    );
  };
  try {
    const some = Array.from({ length: messages }, (_, number) => mail(`some-${number}`, 40));
    const large = [mail('large', 750_000)];
    for (const protocol of ['imap', 'pop3'] as const) {
      await fetch(protocol, some);
      await fetch(protocol, large);
      await fetch(protocol, [mail('before', 40), ...large, mail('behind', 40)], true);
    }
  } finally {
    post.stop();
    await remote.stop();
    await rm(root, { recursive: true, force: true });
  }
}

/** Lines have forty bytes. */
function mail(subject: string, lines: number): string {
  const body = 'A line of text that is forty bytes long.'.slice(0, 39) + '\n';
  return `From: a@elsewhere.example\nSubject: ${subject}\n\n${body.repeat(lines)}`;
}

async function saves(queries: number): Promise<void> {
  const copies = await mkdtemp(join(tmpdir(), 'mailserver-copies-'));
  const root = await startPostfixRoot();
  const listener = await startListener(root);
  const transport = createSocketTransport({ path: listener.path });
  const database = await openMemoryDatabase();
  try {
    await migrateMail(database.db);
    const { publicKey } = await root.helper.call('describe', {}, { actor: 'bench' });
    await database.db.transaction(async (trx) => {
      for (let number = 0; number < queries; number += 1) {
        await insertQuery(trx, sealedQuery(publicKey, number), 'bench');
      }
    });
    const asked: string[] = [];
    let expecting = true;
    const helper: HelperTransport = {
      expect: (action) => {
        if (expecting) transport.expect?.(action);
      },
      request: (action, params, options) => {
        asked.push(`${action}, ${String(JSON.stringify(params).length)} bytes`);
        return transport.request(action, params, options);
      },
    };
    const { app } = createDummyHost({ db: database.db, helper, users: [ALICE] });
    const first = await request(app).get(PATH);
    // A console that has just been started is slower: what the page needs is read and compiled with the first looks.
    await medianOf(async () => request(app).get(PATH).expect(200));
    const list = await medianOf(async () => request(app).get(PATH).expect(200));
    const href = /\/mail\/fetchmail\/\d+/.exec(first.text)?.[0] ?? '';
    let interval = 1_000;
    const work: number[] = [];
    const saving = async (): Promise<number> => {
      const times: number[] = [];
      for (let time = 0; time < TIMES; time += 1) {
        const save = await prepareSave(app, href, (interval += 1));
        asked.length = 0;
        const before = process.cpuUsage();
        times.push(await timed(save));
        const { user, system } = process.cpuUsage(before);
        work.push((user + system) / 1_000);
      }
      return median(times);
    };
    await prepareSave(app, href, interval).then((save) => save());
    const saved = await saving();
    expecting = false;
    const unexpected = await saving();
    const start = await medianOf(async () => {
      await root.transport.request('apply', {}, { actor: 'bench' }).catch(() => undefined);
    });
    const change = await database
      .db('mail_changes')
      .orderBy('number', 'desc')
      .first<{ result: { timing: object } }>('result');
    const folder = `${root.places.root}/etc/mailserver/fetchmail`;
    const file = `${href.split('/').at(-1) ?? ''}.rc`;
    const own = await ownCopy(copies, await readFile(join(folder, file), 'utf8'));
    const whole = await ownCopy(copies, await allInOne(folder));
    const [bare, all] = [await dumping(own), await dumping(whole)];
    const limit = all * 1.3 + 100;
    console.log(`list page with ${queries} queries: ${list.toFixed(0)} ms (wanted: below 50)`);
    console.log(
      `saving one: ${saved.toFixed(0)} ms; fetchmail --configdump of its file ${bare.toFixed(0)} ms, of all in one ${all.toFixed(0)} ms (wanted: below ${limit.toFixed(0)})`,
    );
    console.log(`the console works ${median(work).toFixed(0)} ms of it, this client included`);
    console.log(
      `a save that no open page foretold: ${unexpected.toFixed(0)} ms; a helper that refuses at once takes ${start.toFixed(0)} ms, which is its start`,
    );
    console.log(`the helper was asked for ${asked.join('; ')}`);
    console.log(`the last one, in the helper: ${JSON.stringify(change?.result.timing)}`);
  } finally {
    await database.close();
    await listener.stop();
    await root.stop();
    await rm(copies, { recursive: true, force: true });
  }
}

/** What somebody has who keeps all queries in one file, with the settings of the whole once. */
async function allInOne(folder: string): Promise<string> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.rc'));
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  return texts.map((text, at) => (at === 0 ? text : text.replace(/^set .*\n/gm, ''))).join('\n');
}

/** fetchmail reads only what belongs to whoever runs it. */
async function ownCopy(folder: string, text: string): Promise<string> {
  const file = join(folder, `${String(text.length)}.rc`);
  await writeFile(file, text, { mode: 0o600 });
  return file;
}

function dumping(file: string): Promise<number> {
  return medianOf(async () => {
    const env = { HOME: '/tmp' };
    const options = { env, stdio: 'ignore' } as const;
    const { status } = spawnSync('/usr/bin/fetchmail', ['-f', file, '--configdump'], options);
    if (status !== 0) throw new Error(`fetchmail does not understand ${file}`);
    await Promise.resolve();
  });
}

type App = Parameters<typeof request>[0];

/** Opens the form and fills it in; what is returned sends it and waits for the answer. */
async function prepareSave(
  app: App,
  href: string,
  interval: number,
): Promise<() => Promise<unknown>> {
  const fields = formFields((await request(app).get(href)).text);
  const more = { interval: String(interval), intent: 'save', users: ['alice'] };
  // What a page asks for beside itself has come before anybody has filled in a form.
  await pause(1_500);
  return async () =>
    request(app)
      .post(href)
      .type('form')
      .send({ ...fields, ...more })
      .expect(303);
}

async function medianOf(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let time = 0; time < TIMES; time += 1) times.push(await timed(work));
  return median(times);
}

function sealedQuery(publicKey: string, number: number): QueryValues {
  const query: QueryValues = {
    ...NEW_QUERY,
    name: `imap${number}.provider.example`,
    server: `imap${number}.provider.example`,
    remoteUser: `user-${number}`,
    users: ['alice'],
  };
  return { ...query, remotePassword: seal(publicKey, `secret ${number}`, bindingOf(query)) };
}
