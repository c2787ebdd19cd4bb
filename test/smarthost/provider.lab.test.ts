/** A real provider, a real test and real mail: the mail arrives exactly when the test says that it would. */
import assert from 'node:assert/strict';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { SmarthostSettings } from '../../lib/smarthost/schema.js';
import { LOGIN } from '../support/provider.js';
import {
  SmarthostRounds,
  type ConnectionName,
  type LoginName,
  type ServerName,
} from '../support/smarthost-rounds.js';

/** What a person would expect to be told. */
const TELLING: readonly (readonly [
  ServerName,
  ConnectionName,
  LoginName,
  ok: boolean,
  cause: string,
])[] = [
  ['good on 587', 'starttls, checked', 'right login', true, 'works'],
  ['good on 587', 'starttls, checked', 'wrong login', false, 'loginRefused'],
  ['good on 465', 'smtps, checked', 'right login', true, 'works'],
  ['good on 587', 'smtps, checked', 'right login', false, 'tlsNotWrapped'],
  ['without login on 25', 'may', 'no login', true, 'works'],
  ['without login on 25', 'starttls', 'no login', false, 'tlsMissing'],
  ['certificate expired', 'starttls, checked', 'right login', false, 'certificateExpired'],
  ['certificate of another name', 'starttls, checked', 'right login', false, 'certificateName'],
  ['certificate self-signed', 'starttls, checked', 'right login', false, 'certificateSelfSigned'],
  ['certificate self-signed', 'starttls', 'right login', true, 'works'],
  ['only PLAIN', 'starttls, checked', 'right login', true, 'works'],
  ['only LOGIN', 'starttls, checked', 'right login', true, 'works'],
  ['only CRAM-MD5', 'starttls, checked', 'right login', true, 'works'],
  ['PLAIN without encryption', 'may', 'right login', false, 'loginReadable'],
  ['slow', 'starttls, checked', 'right login', true, 'works'],
  ['refuses the sender', 'starttls, checked', 'right login', false, 'senderRefused'],
  ['found by MX', 'starttls, checked', 'right login', true, 'works'],
  ['an IPv6 address', 'starttls', 'right login', true, 'works'],
  ['nobody there', 'starttls', 'right login', false, 'connectionRefused'],
];

const MECHANISMS: Readonly<Record<string, string>> = {
  'only PLAIN': 'PLAIN',
  'only LOGIN': 'LOGIN',
  'only CRAM-MD5': 'CRAM-MD5',
};

describe('a smarthost', () => {
  let rounds: SmarthostRounds;
  before(async () => {
    rounds = await SmarthostRounds.begin([...new Set(TELLING.map(([server]) => server))]);
  });
  after(() => rounds.stop());

  /** Every file that holds the text, in the configuration, the queue and the helper's memory. */
  async function filesWith(text: string): Promise<string[]> {
    const found: string[] = [];
    const { root, configDir, stateDir, queueDir, dataDir } = rounds.root.places;
    for (const folder of [configDir, stateDir, queueDir, dataDir, `${root}/var/log`]) {
      for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
        if (!entry.isFile()) continue;
        const file = join(entry.parentPath, entry.name);
        const content = await readFile(file).catch(() => Buffer.alloc(0));
        if (content.includes(text)) found.push(file);
      }
    }
    return found;
  }

  for (const [server, connection, login, ok, cause] of TELLING) {
    it(`${server}, ${connection}, ${login}: ${ok ? 'mail arrives' : 'no mail arrives'}, and the test says so`, async () => {
      const { trial, arrived, log } = await rounds.play(server, connection, login);
      const said = `${JSON.stringify(trial)}\n${log}`;
      assert.equal(trial.cause, cause, said);
      assert.equal(trial.ok, ok, said);
      assert.equal(arrived, ok, said);
      const spoken = trial.dialogue.join('\n');
      for (const secret of [LOGIN.password, Buffer.from(LOGIN.password).toString('base64')]) {
        assert.equal(spoken.includes(secret), false);
      }
      const mechanism = MECHANISMS[server];
      if (ok && mechanism) assert.equal(trial.mechanism, mechanism);
    });
  }

  it('tested in vain leaves nothing of its password on the disk', async () => {
    await rounds.save(await rounds.settings('good on 587', 'starttls, checked', 'no login'));
    await rounds.try(await rounds.settings('good on 587', 'starttls, checked', 'right login'));
    assert.deepEqual(await filesWith(LOGIN.password), []);
  });

  it('has its password in one file that only root can read, and nowhere once the login is removed', async () => {
    const settings = await rounds.settings('good on 587', 'starttls, checked', 'right login');
    await rounds.save(settings);
    const files = await filesWith(LOGIN.password);
    assert.deepEqual(files, [join(rounds.root.places.ownConfigDir, 'smarthost-password.lmdb')]);
    for (const file of files) {
      const { mode, uid } = await stat(file);
      assert.deepEqual([mode & 0o777, uid], [0o600, 0]);
    }
    await rounds.save({ ...settings, username: '', password: '' });
    assert.deepEqual(await filesWith(LOGIN.password), []);
    assert.deepEqual(
      (await readdir(rounds.root.places.ownConfigDir)).filter((name) => /password/.test(name)),
      [],
    );
  });

  it('does not get a password that was entered for another one, whoever asks', async () => {
    const settings = await rounds.settings('good on 587', 'starttls, checked', 'right login');
    const others: Partial<SmarthostSettings>[] = [
      { host: 'self.provider.test', verify: false },
      { port: 465, tls: 'smtps' },
      { username: 'somebody' },
      { verify: false },
      { tls: 'may' },
    ];
    for (const other of others) {
      await assert.rejects(rounds.try({ ...settings, ...other }), JSON.stringify(other));
      await assert.rejects(rounds.save({ ...settings, ...other }), JSON.stringify(other));
    }
    const log = await rounds.provider.log();
    assert.doesNotMatch(log, /sasl_username=somebody/);
  });
});
