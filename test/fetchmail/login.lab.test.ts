/** Users and passwords of any characters: refused by the form, or logged in at a real Dovecot exactly as typed. */
import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { renderRunControl } from '../../lib/fetchmail/run-control.js';
import { faultsOf, passwordFault, type FetchQuery } from '../../lib/fetchmail/schema.js';
import { fetchPlaces } from '../../lib/fetcher/places.js';
import { testOnce } from '../../lib/fetcher/poll.js';
import { someQuery } from '../support/queries.js';
import { startRemoteMailboxes, type RemoteMailboxes } from '../support/remote-mailboxes.js';

const RUNS = 6;

const AWKWARD: readonly (readonly [user: string, password: string])[] = [
  ['me', 'with'],
  ['with', 'password'],
  ['a b', ' " \\ \' # { } ( ) '],
  ['me@x', '\\x41\\"\\n$HOME`id`'],
  ['jürgen', 'pä߀ 密码 🙂'],
  ['you', '*'],
  ['the "box" of O\'Hara \\ #1', 'x'],
];
const texts = fc.string({ unit: 'binary', minLength: 1, maxLength: 24 });
/** One password a user. */
const PAIRS = [...new Map([...AWKWARD, ...fc.sample(fc.tuple(texts, texts), RUNS)])];

for (const mechanisms of ['plain login cram-md5 apop', 'plain login']) {
  describe(`a login at a provider that takes ${mechanisms}`, () => {
    let remote: RemoteMailboxes;
    let root: string;
    before(async () => {
      remote = await startRemoteMailboxes(mechanisms);
      for (const [user, password] of PAIRS) await remote.addUser(user, password);
      root = await mkdtemp(join(tmpdir(), 'mailserver-fetch-'));
      await chmod(root, 0o755);
    });
    after(async () => {
      await remote.stop();
      await rm(root, { recursive: true, force: true });
    });

    const login = async (query: FetchQuery, password: string) => {
      const text = renderRunControl(query, { password, home: '', isLocal: () => true });
      return testOnce(fetchPlaces(root), null, text);
    };
    const over = (protocol: 'imap' | 'pop3', remoteUser: string): FetchQuery =>
      someQuery({
        ...{ protocol, remoteUser, port: remote.ports[protocol], server: '127.0.0.1' },
        ...{ sameServer: false, ssl: 'none', certificate: 'none', timeout: 10 },
      });

    for (const [user, password] of PAIRS) {
      it(`is made or refused: ${JSON.stringify([user, password])}`, async () => {
        const refused = passwordFault(password) ?? faultsOf(over('imap', user))[0];
        if (refused !== undefined) {
          assert.match(`${user}${password}`, /[\p{Cc}\p{Cs}\u2028\u2029]|^\s|\s$|^$/u);
          return;
        }
        for (const protocol of ['imap', 'pop3'] as const) {
          const right = await login(over(protocol, user), password);
          assert.equal(right.result.outcome, 'nothing', right.dialogue.join('\n'));
          assert.equal(right.dialogue.join('\n').includes(`"${password}"`), false);
        }
        const wrong = await login(over('imap', user), `${password}x`);
        assert.equal(wrong.result.outcome, 'login', wrong.dialogue.join('\n'));
      });
    }
  });
}
