/** The moments at which a message is neither here nor there: each made to happen, with the real fetchmail and a real provider. */
import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { queryAddress, renderRunControl } from '../../lib/fetchmail/run-control.js';
import { FETCH_ORDERS, fetchPlaces } from '../../lib/fetcher/places.js';
import { fetchOnce, lookOnce, readStatus, type PollOutcome } from '../../lib/fetcher/poll.js';
import type { FetchQuery } from '../../lib/fetchmail/schema.js';
import { startFetchPost, type FetchPost } from '../support/fetch-post.js';
import { someQuery } from '../support/queries.js';
import { startRemoteMailboxes, type RemoteMailboxes } from '../support/remote-mailboxes.js';
import { until } from '../support/wait.js';

const PARTS = { password: 'secret', home: 'home.example', isLocal: () => true };
const NOBODY_THERE = 1;
/** One mailbox for each test. */
const ACCOUNTS = 16;

for (const protocol of ['imap', 'pop3'] as const) {
  describe(`a message between a provider and us (${protocol})`, () => {
    let remote: RemoteMailboxes;
    let post: FetchPost;
    let root: string;
    let serial = 0;
    const accounts = Array.from({ length: ACCOUNTS }, (_, index) => `box-${index + 1}`);
    before(async () => {
      remote = await startRemoteMailboxes();
      // Dovecot looks for new users once a second.
      for (const user of accounts) await remote.addUser(user, 'secret');
      post = await startFetchPost();
      root = await mkdtemp(join(tmpdir(), 'mailserver-moments-'));
      await chmod(root, 0o755);
      await mkdir(root + FETCH_ORDERS, { recursive: true });
    });
    after(async () => {
      post.stop();
      await remote.stop();
      await rm(root, { recursive: true, force: true });
    });

    /** A mailbox of its own, and the query that fetches it. */
    async function mailbox(count: number, more: Partial<FetchQuery> = {}) {
      serial += 1;
      const id = String(serial);
      const user = `box-${id}`;
      const subjects = Array.from({ length: count }, (_, index) => `${user}-${index}-end`);
      await remote.put(user, subjects.map(message));
      const query = someQuery({
        ...{ id, protocol, remoteUser: user, port: remote.ports[protocol], server: '127.0.0.1' },
        ...{ sameServer: false, ssl: 'none', certificate: 'none', timeout: 20 },
        ...more,
      });
      const places = fetchPlaces(root);
      const write = async (password: string, server = '127.0.0.1'): Promise<void> => {
        const text = renderRunControl({ ...query, server }, { ...PARTS, password });
        await writeFile(places.runControl(id), text, { mode: 0o600 });
      };
      await write('secret');
      return {
        id,
        query,
        write,
        user,
        subjects,
        own: places.of(id),
        /** The query goes and comes back: a row has a new id then. */
        comesBackAs: async (other: string): Promise<PollOutcome> => {
          await rename(places.runControl(id), places.runControl(other));
          return fetchOnce(places, other, post.port);
        },
        poll: (port = post.port): Promise<PollOutcome> => fetchOnce(places, id, port),
        copies: () => subjects.map((subject) => copiesOf(subject)),
      };
    }

    const copiesOf = (subject: string): number =>
      post.messages.filter((text) => text.includes(`Subject: ${subject}\n`)).length;

    /** Kills the fetchmail of a query when a message comes that holds the text. */
    function killAt(folder: string, text: string, then: 'take' | 'hangUp'): void {
      post.mood = async (message) => {
        if (!message.includes(text)) return 'take';
        post.mood = () => 'take';
        const pid = fetchmailOf(folder) ?? assert.fail('no fetchmail');
        process.kill(pid, 'SIGKILL');
        await until('it to be gone', () => fetchmailOf(folder) === null);
        return then;
      };
    }

    it('is taken once when fetchmail is killed before the provider heard of it', async () => {
      const { own, subjects, poll, copies, user } = await mailbox(4);
      killAt(own.folder, subjects[2] ?? '', 'take');
      assert.equal((await poll()).result.outcome, 'unknown');
      assert.deepEqual(copies(), [1, 1, 1, 0]);
      assert.equal((await poll()).result.fetched, 1);
      assert.deepEqual(copies(), [1, 1, 1, 1]);
      assert.equal(await remote.count(user), 0);
      assert.equal(await readFile(own.taken, 'utf8'), '');
    });

    it('is taken once when Postfix is away after that', async () => {
      const { own, subjects, poll, copies } = await mailbox(4);
      killAt(own.folder, subjects[2] ?? '', 'take');
      await poll();
      assert.equal((await poll(NOBODY_THERE)).result.outcome, 'awayHere');
      post.envelope = (command) => (command.startsWith('MAIL') ? '451 4.3.0 not now' : null);
      await poll();
      post.envelope = (command) => (command.startsWith('MAIL') ? '' : null);
      assert.equal((await poll()).result.outcome, 'awayHere');
      post.envelope = () => null;
      await poll();
      assert.deepEqual(copies(), [1, 1, 1, 1]);
    });

    it('comes again when Postfix took it and was ended before it could say so, and that is told', async () => {
      const { subjects, poll, copies, own } = await mailbox(3);
      post.mood = (text) => {
        if (!text.includes(subjects[1] ?? '')) return 'take';
        post.mood = () => 'take';
        return 'takeAndHangUp';
      };
      assert.deepEqual((await poll()).maybeTwice, []);
      assert.deepEqual((await poll()).maybeTwice, [`<${subjects[1]}@test>`]);
      assert.deepEqual(copies(), [1, 2, 1]);
      assert.equal((await readStatus(own))?.maybeTwice.length, 1);
      assert.deepEqual((await poll()).maybeTwice, []);
    });

    it('comes again, once, when Postfix had not taken it', async () => {
      const { subjects, poll, copies } = await mailbox(3);
      post.mood = (text) => {
        if (!text.includes(subjects[1] ?? '')) return 'take';
        post.mood = () => 'take';
        return 'refuse';
      };
      assert.equal((await poll()).result.left, 1);
      assert.deepEqual((await poll()).maybeTwice, []);
      assert.deepEqual(copies(), [1, 1, 1]);
    });

    it('stays with the provider when it is refused at its end, a bounce too, and the next one comes', async () => {
      for (const keep of [false, true]) {
        const { user, poll } = await mailbox(0, { keep });
        const bounce = 'Return-Path: <>\nSubject: a bounce\n\nNobody wrote this.\n';
        await remote.put(user, [message(`${user} before`), bounce, message(`${user} after`)]);
        post.mood = (text) => (text.includes('Subject: a bounce') ? 'refuse' : 'take');
        const { result } = await poll();
        post.mood = () => 'take';
        assert.deepEqual([result.outcome, result.fetched, result.left], ['diskHere', 2, 1]);
        assert.equal(await remote.count(user), keep ? 3 : 1);
        assert.equal((await poll()).result.fetched, 1);
        assert.equal(copiesOf(`${user} after`), 1);
      }
    });

    it('stays with the provider while one of its recipients has to wait', async () => {
      const to = { destination: 'multidrop', users: [], localDomains: ['example.org'] } as const;
      const { user, poll } = await mailbox(0, { ...to, envelope: 'X-To' });
      const fields = 'X-To: bob@example.org, erika@example.org\nSubject';
      await remote.put(user, [message(`${user} shared`).replace('Subject', fields)]);
      post.envelope = (command) => (command.includes('<erika@') ? '451 4.3.0 later' : null);
      const { result } = await poll();
      post.envelope = () => null;
      assert.deepEqual([result.outcome, result.fetched], ['refusedHere', 0]);
      assert.equal((await poll()).result.fetched, 1);
      assert.deepEqual(post.recipients.at(-1), ['<bob@example.org>', '<erika@example.org>']);
    });

    it('is taken though Postfix was started anew while it came in', async () => {
      const { poll, copies } = await mailbox(2);
      let times = 0;
      post.envelope = (command) => {
        if (command !== 'DATA' || (times += 1) > 1) return null;
        return '421 4.4.2 timeout exceeded';
      };
      assert.equal((await poll()).result.outcome, 'fetched');
      post.envelope = () => null;
      assert.deepEqual(copies(), [1, 1]);
      assert.match(post.recipients.at(-1)?.[0] ?? '', /fetchmail-\d+@/);
    });

    it('is never fetched by two at once', async () => {
      const { poll, copies } = await mailbox(3);
      const results = await Promise.all([poll(), poll(), poll()]);
      const outcomes = results.map(({ result }) => result.outcome).toSorted();
      assert.deepEqual(outcomes, ['alreadyFetching', 'alreadyFetching', 'fetched']);
      assert.deepEqual(copies(), [1, 1, 1]);
    });

    it('is one of two when the mailbox holds it twice', async () => {
      const { poll, user } = await mailbox(0);
      await remote.put(user, [message('same'), message('same')]);
      const before = copiesOf('same');
      await poll();
      assert.equal(copiesOf('same') - before, 2);
    });

    it('comes again when somebody puts it back', async () => {
      const { poll, user, subjects, copies } = await mailbox(1);
      await poll();
      await remote.put(user, subjects.map(message));
      await poll();
      assert.deepEqual(copies(), [2]);
    });

    it('is taken once where only so many are fetched at a time', async () => {
      const { poll, copies, subjects, own } = await mailbox(5, { fetchLimit: 2 });
      assert.equal((await poll()).result.code, 13);
      killAt(own.folder, subjects[3] ?? '', 'take');
      await poll();
      await poll();
      await poll();
      assert.deepEqual(copies(), [1, 1, 1, 1, 1]);
    });

    it('is looked at without being taken, and with whom fetchmail would give it to', async () => {
      const { id, user, query, poll, subjects } = await mailbox(0, {
        ...{ destination: 'multidrop', users: [], localDomains: ['example.org'] },
        ...{ envelope: 'Delivered-To', envelopePrefix: 'box-user-' },
      });
      const to = (name: string): string =>
        message(name).replace('Subject', `Delivered-To: box-user-${name}@example.org\nSubject`);
      const bounce = 'Return-Path: <>\nSubject: a bounce\n\nNobody wrote this.\n';
      await remote.put(user, [to('bob'), to('erika'), message('nobody'), bounce]);
      const wish = {
        deliveryPort: post.port,
        fallback: queryAddress(id),
        domains: ['example.org'],
      };
      post.envelope = (command) => (command.includes('<erika@') ? '550 5.1.1 unknown' : null);
      const taken = post.messages.length;
      const text = renderRunControl(query, PARTS);
      const { result, looked } = await lookOnce(fetchPlaces(root), id, text, wish);
      post.envelope = () => null;
      assert.equal(result.outcome, 'nothing', JSON.stringify(result));
      assert.deepEqual(looked?.headers, [
        {
          ...{ name: 'Delivered-To', messages: 2, prefix: 'box-user-' },
          example: 'box-user-bob@example.org',
        },
      ]);
      assert.deepEqual(
        looked.messages.map(({ subject, recipients }) => [subject, recipients]),
        [
          ['bob', [{ address: 'bob@example.org', fate: 'taken' }]],
          ['erika', [{ address: 'erika@example.org', fate: 'others' }]],
          ['nobody', []],
          ['a bounce', []],
        ],
      );
      assert.equal(post.messages.length, taken);
      assert.deepEqual(subjects, []);
      assert.equal((await poll()).result.fetched, 4);
      assert.deepEqual(post.recipients.slice(-4), [
        ['<bob@example.org>'],
        ['<erika@example.org>'],
        [`<${queryAddress(id)}>`],
        [`<${queryAddress(id)}>`],
      ]);
    });

    it('stays with the provider, and is taken once, through failures and changes of the query', async () => {
      const { poll, copies, user, own, subjects, write } = await mailbox(3, { keep: true });
      killAt(own.folder, subjects[1] ?? '', 'take');
      await poll();
      await poll();
      await write('another');
      assert.equal((await poll()).result.outcome, 'login');
      await write('secret');
      await poll();
      await write('secret', 'localhost');
      assert.equal((await poll()).result.outcome, 'nothing');
      assert.deepEqual(copies(), [1, 1, 1]);
      assert.equal(await remote.count(user), 3);
    });

    it('stays with the provider, and is taken once, though its query was deleted and came back', async () => {
      const { copies, poll, comesBackAs, user } = await mailbox(2, { keep: true });
      await poll();
      assert.equal((await comesBackAs('9001')).result.outcome, 'nothing');
      await remote.put(user, [message('after the return')]);
      await fetchOnce(fetchPlaces(root), '9001', post.port);
      assert.deepEqual(copies(), [1, 1]);
      assert.equal(copiesOf('after the return'), 1);
    });
  });
}

function message(subject: string): string {
  return `From: somebody@elsewhere.example\nTo: me@provider.example\nMessage-ID: <${subject}@test>\nSubject: ${subject}\n\nThe text of ${subject}.\n`;
}

/** The fetchmail that works in a folder; null when there is none. */
function fetchmailOf(folder: string): number | null {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const found = pids.find((pid) => {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return line.startsWith('/usr/bin/fetchmail') && line.includes(folder);
    } catch {
      return false;
    }
  });
  return found === undefined ? null : Number(found);
}
