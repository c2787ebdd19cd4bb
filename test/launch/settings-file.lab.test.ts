import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { readSettings, writeSettings } from '../../lib/launch/settings-file.js';

const folder = mkdtempSync(join(tmpdir(), 'mailserver-settings-'));
const file = join(folder, 'mailserver-console');
after(() => rmSync(folder, { recursive: true, force: true }));

const AWKWARD = 'a "b" \\ $HOME `id` # \'c\' ü =;';

describe('the settings of the console', () => {
  it('are none without a file', async () => {
    assert.deepEqual(await readSettings(join(folder, 'absent')), {});
  });

  it('come back as they were, whatever signs they hold', async () => {
    assert.equal(await writeSettings(file, { DATABASE_URL: AWKWARD, TZ: '' }), true);
    assert.deepEqual(await readSettings(file), { DATABASE_URL: AWKWARD, TZ: '' });
  });

  it('mean to a shell what they mean to us', async () => {
    await writeSettings(file, { DATABASE_URL: AWKWARD });
    const said = execFileSync('/bin/sh', ['-c', '. "$1"; printf %s "$DATABASE_URL"', 'sh', file]);
    assert.equal(said.toString(), AWKWARD);
  });

  it('are for root alone', async () => {
    await writeSettings(file, { DATABASE_URL: 'postgres://me:secret@db/mail' });
    const { mode, uid } = statSync(file);
    assert.equal(mode & 0o777, 0o600);
    assert.equal(uid, 0);
  });

  it('keep what somebody wrote by hand', async () => {
    const before = '# ours\nTZ=Europe/Berlin\n\nEXTRA=1\n';
    writeFileSync(file, before);
    await writeSettings(file, { MAILSERVER_LISTEN: '0.0.0.0:80' });
    assert.equal(readFileSync(file, 'utf8'), `${before}MAILSERVER_LISTEN="0.0.0.0:80"\n`);
  });

  it('keep the last line of a file that ends without a newline', async () => {
    writeFileSync(file, "TZ=UTC\nDATABASE_URL='postgres://me:secret@db/mail'");
    await writeSettings(file, { MAILSERVER_LISTEN: '0.0.0.0:80' });
    assert.deepEqual(await readSettings(file), {
      TZ: 'UTC',
      DATABASE_URL: 'postgres://me:secret@db/mail',
      MAILSERVER_LISTEN: '0.0.0.0:80',
    });
  });

  it('are not written again when they say the same', async () => {
    await writeSettings(file, { MAILSERVER_LISTEN: '0.0.0.0:80' });
    const { ino } = statSync(file);
    assert.equal(await writeSettings(file, { MAILSERVER_LISTEN: '0.0.0.0:80' }), false);
    assert.equal(statSync(file).ino, ino);
  });

  it('are one line each', async () => {
    await assert.rejects(
      writeSettings(file, { TZ: 'UTC\nMAILSERVER_LISTEN=0.0.0.0:80' }),
      /one line/,
    );
  });
});
