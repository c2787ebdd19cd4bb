import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { PACKAGE_ROOT } from '../../lib/package-root.js';
import { startLab, type Lab } from '../support/lab.js';
import { sendMail } from '../support/smtp-client.js';
import { until } from '../support/wait.js';

/** What of the machine a lab could touch by mistake. */
function machineState(): string {
  const files = ['/etc/passwd', '/etc/group', '/etc/aliases', '/etc/hosts', '/etc/resolv.conf'];
  const listing = execFileSync('find', ['/etc/postfix', '-printf', '%p %m %s %T@\n'], {
    encoding: 'utf8',
  });
  const mounts = readFileSync('/proc/self/mounts', 'utf8');
  return [...files.map((file) => readFileSync(file, 'utf8')), listing, mounts].join('\n');
}

describe('a lab', () => {
  let lab: Lab;
  let untouched: string;
  before(async () => {
    untouched = machineState();
    lab = await startLab();
  });
  after(() => lab.stop());

  it('lets the first administrator sign in with what lab.json says', async () => {
    const page = await (await lab.signIn()).get('/mail');
    assert.equal(page.status, 200);
    assert.ok(page.html.includes('class="mailserver"'));
  });

  it('keeps lab.json for root alone', () => {
    const { mode, uid } = statSync(`${lab.root}/lab.json`);
    assert.equal(mode & 0o777, 0o600);
    assert.equal(uid, 0);
  });

  it('delivers mail to its own users, whom the machine does not have', async () => {
    assert.notEqual(spawnSync('getent', ['passwd', 'juergen']).status, 0);
    const { recipients, data } = await lab.sendMail({
      from: 'somebody@client.example',
      to: ['juergen@localhost', 'nobody-here@localhost'],
      subject: 'first of all',
    });
    assert.deepEqual(
      recipients.map(({ code }) => code),
      [250, 550],
    );
    assert.equal(data?.code, 250);
    assert.match(await lab.waitForMail('juergen', 'first of all'), /^Subject: first of all\r?$/m);
  });

  it('sends nothing beyond loopback', async () => {
    await lab.sendMail({ from: 'alice@localhost', to: 'somebody@[192.0.2.1]' });
    const log = await until('a try to deliver it', async () => {
      const lines = await lab.mailLog();
      return lines.includes('status=deferred') ? lines : null;
    });
    assert.match(log, /connect to 192\.0\.2\.1\[192\.0\.2\.1\]:25: Invalid argument/);
  });

  it('runs the console without root, without its capabilities and without a way to new ones', async () => {
    const { pids } = await lab.facts();
    const status = readFileSync(`/proc/${pids.console}/status`, 'utf8');
    const value = (name: string): string | undefined =>
      new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1];
    assert.doesNotMatch(value('Uid') ?? '0', /\b0\b/);
    assert.doesNotMatch(value('Gid') ?? '0', /\b0\b/);
    assert.equal(value('NoNewPrivs'), '1');
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
      assert.equal(value(set), '0000000000000000', set);
    }
  });

  it('runs beside another one', async () => {
    const other = await startLab();
    try {
      assert.notEqual(other.smtpPort, lab.smtpPort);
      await sendMail(other.smtpPort, {
        from: 'a@client.example',
        to: 'bob@localhost',
        subject: 'to the other lab',
      });
      await other.waitForMail('bob', 'to the other lab');
      assert.deepEqual(await lab.mailbox('bob'), []);
    } finally {
      assert.equal(await other.stop(), 0);
    }
    assert.deepEqual(await other.processes(), []);
  });

  it('starts a part again that crashed, at the same address', async () => {
    const { pids } = await lab.facts();
    process.kill(pids.console, 'SIGKILL');
    process.kill(pids.helper, 'SIGKILL');
    await until('both to be started again', async () => {
      const now = (await lab.facts()).pids;
      return now.console !== pids.console && now.helper !== pids.helper;
    });
    assert.equal((await (await lab.signIn()).get('/mail')).status, 200);
  });

  it('refuses a second start on its folder, and goes on', () => {
    const second = spawnSync(process.execPath, ['bin/start.mjs', '--lab', lab.root], {
      cwd: PACKAGE_ROOT,
      encoding: 'utf8',
    });
    assert.equal(second.status, 1);
    assert.match(second.stderr, /a lab runs in .* already/);
    assert.ok(statSync(`${lab.root}/lab.json`).isFile());
  });

  it('leaves the machine as it was', () => {
    assert.equal(machineState(), untouched);
  });
});

describe('a lab that ends', () => {
  /** Below a folder that is closed to all others, as `mktemp -d` makes it. */
  const closed = mkdtempSync(join(tmpdir(), 'mailserver-closed-'));
  const root = join(closed, 'lab');
  after(() => rmSync(closed, { recursive: true, force: true }));

  it('leaves no process behind when it is asked to stop, and keeps its data', async () => {
    const lab = await startLab({ root });
    await lab.sendMail({ from: 'a@client.example', to: 'carol@localhost', subject: 'kept' });
    await lab.waitForMail('carol', 'Subject: kept');
    assert.equal(await lab.stop(), 0);
    assert.deepEqual(await lab.processes(), []);

    const again = await startLab({ root });
    assert.match((await again.mailbox('carol')).join(''), /Subject: kept/);
    assert.equal((await (await again.signIn()).get('/mail')).status, 200);
    await again.stop();
  });

  for (const victim of ['launcher', 'inside'] as const) {
    it(`stops everything when the ${victim} is killed`, async () => {
      const lab = await startLab({ root });
      process.kill((await lab.facts()).pids[victim], 'SIGKILL');
      await until('nothing to run', async () => (await lab.processes()).length === 0);
    });
  }

  it('comes up again after everything was killed at once', async () => {
    const lab = await startLab({ root });
    const { pids } = await lab.facts();
    for (const pid of [pids.launcher, ...(await lab.processes())]) process.kill(pid, 'SIGKILL');
    const again = await startLab({ root });
    assert.equal((await (await again.signIn()).get('/mail')).status, 200);
    assert.equal(await again.stop(), 0);
    assert.deepEqual(await again.processes(), []);
  });

  it('never takes a folder that holds something else', () => {
    const folder = join(closed, 'letters');
    execFileSync('mkdir', [folder]);
    writeFileSync(join(folder, 'letter.txt'), 'Dear Alice');
    const answer = spawnSync(process.execPath, ['bin/start.mjs', '--lab', folder], {
      cwd: PACKAGE_ROOT,
      encoding: 'utf8',
    });
    assert.equal(answer.status, 1);
    assert.match(answer.stderr, /holds something else/);
    assert.deepEqual(execFileSync('ls', ['-A', folder], { encoding: 'utf8' }), 'letter.txt\n');
  });
});
