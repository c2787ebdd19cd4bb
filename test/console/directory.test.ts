import assert from 'node:assert/strict';
import { appendFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createNssDirectory, type NssDirectory } from '../../lib/console/directory/nss.js';
import { readGroups, readUidRange, readUsers } from '../../lib/console/directory/passwd.js';
import { recordingLog } from '../support/dummy-host.js';

const PASSWD = `root:x:0:0:root:/root:/bin/bash
postfix:x:106:113::/var/spool/postfix:/usr/sbin/nologin
anna:x:1000:1000:Anna Berg,Room 7,,:/home/anna:/bin/bash
ben:x:1001:100:& Ostrowski:/home/ben:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
`;
const GROUP = `root:x:0:
users:x:100:anna
anna:x:1000:
office:x:1500:anna,ben,gone
`;

describe('the lines of passwd and group', () => {
  const users = readUsers(PASSWD, GROUP, { min: 1000, max: 60000 });
  const user = (login: string) => users.find((one) => one.login === login);

  it('tell people from services', () => {
    assert.deepEqual(
      users.filter(({ system }) => !system).map(({ login }) => login),
      ['anna', 'ben'],
    );
    assert.equal(user('anna')?.hasMailbox, true);
    assert.equal(user('postfix')?.hasMailbox, false);
  });

  it('give the full name, with & for the login', () => {
    assert.equal(user('anna')?.name, 'Anna Berg');
    assert.equal(user('ben')?.name, 'Ben Ostrowski');
    assert.equal(user('postfix')?.name, 'postfix');
  });

  it('give groups by membership and by the primary group', () => {
    assert.deepEqual(user('anna')?.groups, ['users', 'anna', 'office']);
    assert.deepEqual(user('ben')?.groups, ['users', 'office']);
    assert.deepEqual(readGroups(GROUP)[1], { id: '100', name: 'users' });
  });

  it('name a group once, in the order of its lines, however often somebody stands in it', () => {
    const often = `office:x:1500:ben,ben,anna\nusers:x:100:anna,ben\nstaff:x:100:ben\n`;
    const ben = readUsers(PASSWD, often, { min: 1000, max: 60000 })[3];
    assert.deepEqual(ben?.groups, ['office', 'users', 'staff']);
  });

  it('tell who cannot sign in', () => {
    assert.equal(user('anna')?.locked, false);
    assert.equal(user('ben')?.locked, true);
  });

  it('that are damaged, comments or NIS markers do no harm', () => {
    const odd = `# comment\n+::::::\n-@x::::::\nhalf:x:1\n:x:1:1::/:/bin/sh\nanna:x:abc:1::/:/bin/sh\n${PASSWD}anna:x:1:1::/:/x\n`;
    assert.deepEqual(readUsers(odd, `x\n:y:1:\n${GROUP}`, { min: 1000, max: 60000 }), users);
    assert.deepEqual(readUsers('', '', { min: 1, max: 2 }), []);
  });

  it('with one uid twice stay two users, the first with the plain id', () => {
    const twice = `${PASSWD}toor:x:0:0::/root:/bin/sh\n`;
    const ids = readUsers(twice, '', { min: 1000, max: 60000 }).map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
    assert.equal(ids[0], '0');
  });

  it('are read in the range that login.defs names', () => {
    assert.deepEqual(readUidRange('#UID_MIN 5\nUID_MIN\t\t 500\nUID_MAX 600\n'), {
      min: 500,
      max: 600,
    });
    assert.deepEqual(readUidRange(''), { min: 1000, max: 60000 });
  });
});

describe('the directory of the machine', () => {
  let folder: string;
  let directory: NssDirectory;
  const log = recordingLog();

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'directory-'));
    await writeFile(join(folder, 'passwd'), PASSWD);
    await writeFile(join(folder, 'group'), GROUP);
    directory = createNssDirectory(
      log,
      {
        getent: join(folder, 'no-getent'),
        passwd: join(folder, 'passwd'),
        group: join(folder, 'group'),
        loginDefs: join(folder, 'no-login.defs'),
      },
      { watchEveryMs: 20 },
    );
  });
  after(async () => {
    directory.close();
    await rm(folder, { recursive: true });
  });

  const logins = async () => (await directory.users()).map(({ login }) => login);
  const nextChange = () =>
    new Promise<void>((resolve) => {
      // The directory's own timer does not keep a process alive.
      const alive = setInterval(() => undefined, 1000);
      const end = directory.onChange(() => {
        end();
        clearInterval(alive);
        resolve();
      });
    });

  it('is the name service’s own', async () => {
    assert.equal(directory.kind, 'nss');
    assert.ok((await logins()).includes('anna'));
    assert.equal((await directory.groups()).length, 4);
  });

  it('answers with a new user at once', async () => {
    await appendFile(join(folder, 'passwd'), 'carl:x:1002:1002::/home/carl:/bin/sh\n');
    assert.ok((await logins()).includes('carl'));
  });

  it('tells of a change made in place, and of a file put in its place', async () => {
    await directory.users();
    const first = nextChange();
    await appendFile(join(folder, 'passwd'), 'dora:x:1003:1003::/home/dora:/bin/sh\n');
    await first;
    assert.ok((await logins()).includes('dora'));

    const second = nextChange();
    await writeFile(join(folder, 'passwd.new'), PASSWD);
    await rename(join(folder, 'passwd.new'), join(folder, 'passwd'));
    await second;
    assert.equal((await logins()).includes('dora'), false);
  });

  it('asks getent for users that stand in no file', async () => {
    const real = createNssDirectory(log);
    const root = (await real.users()).find(({ login }) => login === 'root');
    assert.equal(root?.id, '0');
    assert.equal(root.system, true);
    real.close();
  });
});
