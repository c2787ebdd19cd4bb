/** The units as systemd's own checker reads them. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { placesBelow } from '../../lib/launch/places.js';
import { writeUnits } from '../../lib/launch/systemd.js';
import { renderUnits } from '../../lib/launch/units.js';
import { runNative } from '../../lib/privileged/native.js';

const INSTALLATION = { node: process.execPath, current: '/usr/local/lib/mailserver/current' };

describe('the units', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'mailserver-units-'));
  });
  after(() => rm(folder, { recursive: true }));

  /** What `systemd-analyze verify` says; nothing is what it should say. */
  async function verify(change: (text: string) => string): Promise<string> {
    const units = Object.fromEntries(
      Object.entries(renderUnits(placesBelow(null), INSTALLATION, '/etc/default/mailserver'))
        .filter(([name]) => /^systemd\/system\/[^/]+$/.test(name))
        .map(([name, text]) => [name.slice('systemd/system/'.length), change(text)]),
    );
    await mkdir(folder, { recursive: true });
    await writeUnits(units, folder);
    const files = Object.keys(units).map((name) => `${folder}/${name}`);
    const answer = await runNative('/usr/bin/systemd-analyze', ['verify', '--man=no', ...files]);
    return `${answer.stdout}${answer.stderr}`;
  }

  it('hold nothing that systemd does not know', async () => {
    assert.equal(await verify((text) => text), '');
  });

  it('would be found out if they did', async () => {
    const said = await verify((text) => text.replace('NoNewPrivileges=', 'NoNewPrivilege='));
    assert.match(said, /Unknown key.*NoNewPrivilege/);
  });
});
