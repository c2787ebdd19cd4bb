import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { renderSysusers } from '../../lib/launch/accounts.js';
import { PACKAGE_HOME } from '../../lib/launch/debian-package.js';
import { CONSOLE_USER, FETCH_USER, SETTINGS_FILE, placesBelow } from '../../lib/launch/places.js';
import { renderUnits } from '../../lib/launch/units.js';
import { PackagingError, parseArguments } from '../../lib/packaging/arguments.js';
import { renderControl } from '../../lib/packaging/control.js';
import { SPF_FILES } from '../../lib/policy/places.js';
import { PACKAGE_ROOT } from '../../lib/package-root.js';

const places = placesBelow(null);
const read = (name: string): string =>
  readFileSync(join(PACKAGE_ROOT, 'lib/packaging/debian', name), 'utf8');
const packages = JSON.parse(
  readFileSync(join(PACKAGE_ROOT, 'bin/debian-packages.json'), 'utf8'),
) as { run: string[]; suggest: string[] };

describe('the scripts of the Debian package', () => {
  const own = { node: `${PACKAGE_HOME}/node`, current: PACKAGE_HOME };
  const units = Object.keys(renderUnits(places, own, SETTINGS_FILE)).flatMap((name) =>
    name.startsWith('systemd/system/') ? [name.slice('systemd/system/'.length)] : [],
  );

  it('are what a shell understands', () => {
    for (const name of ['postinst', 'prerm', 'postrm', 'command']) {
      execFileSync('/bin/sh', ['-n', join(PACKAGE_ROOT, 'lib/packaging/debian', name)]);
    }
  });

  it('name every unit there is', () => {
    for (const unit of units) {
      assert.ok(read('postinst').includes(unit), unit);
      // What is started for a request ends with it, and what is added to a service of another package is no service.
      if (unit.includes('@') || unit.includes('.d/')) continue;
      assert.ok(read('prerm').includes(unit), unit);
      assert.ok(read('postrm').includes(unit), unit);
    }
  });

  it('keep block lists switched on that npm start had on', () => {
    const takeOver = /^take_over\(\) \{\n([\s\S]*?)^\}$/m.exec(read('postinst'))?.[1] ?? '';
    const asked = takeOver.indexOf('[ ! -L "$WANTS/$BLOCK_LISTS" ] || lists=on');
    const removed = takeOver.indexOf('rm -f "/etc/systemd/system/$name"');
    const again = takeOver.indexOf(
      '[ -z "$lists" ] || ln -s "/usr/lib/systemd/system/$BLOCK_LISTS"',
    );
    assert.ok(asked >= 0 && removed > asked && again > removed);
  });

  it('take all state along when it is purged, and nothing of Postfix', () => {
    const removed = read('postrm')
      .split('\n')
      .filter((line) => /\brm -/.test(line));
    for (const path of [places.consoleState, places.stateDir, places.fetchState, SETTINGS_FILE]) {
      assert.ok(
        removed.some((line) => line.includes(path)),
        path,
      );
    }
    assert.doesNotMatch(
      removed.join('\n'),
      /postfix|certificates|\/var\/(mail|spool)|\/etc\/aliases/,
    );
    // Postfix' own master.cf names them.
    for (const file of Object.values(SPF_FILES)) {
      const doomed = removed.flatMap((line) => line.trim().split(/\s+/).slice(2));
      assert.ok(!doomed.some((one) => file.startsWith(one.replace(/\*$/, ''))), file);
    }
  });

  it('keep apt from what carries the mail', () => {
    const kept = [...read('apt.conf').matchAll(/"\^(\S+)\$"/g)].map(([, name = '']) => name);
    assert.ok(kept.includes('postfix'));
    for (const name of kept) {
      assert.ok(packages.run.includes(name), name);
      assert.match(read('postrm'), new RegExp(`for package in.*\\b${name}\\b`));
    }
  });

  it('run the programs where they lie', () => {
    assert.ok(read('command').includes(`${PACKAGE_HOME}/node ${PACKAGE_HOME}/dist/lib/launch/`));
  });
});

describe('the accounts of the Debian package', () => {
  it('are those of npm start, as systemd makes them', () => {
    const lines = renderSysusers(places).trim().split('\n');
    assert.deepEqual(
      lines.filter((line) => line.startsWith('u ')),
      [
        `u ${CONSOLE_USER} -:mailserver "Mailserver console" /var/lib/mailserver-console /usr/sbin/nologin`,
        `u ${FETCH_USER} -:${FETCH_USER} "Mail from other providers" /var/lib/mailserver-fetch /usr/sbin/nologin`,
      ],
    );
    assert.ok(lines.includes('g mailserver-proxy -'));
  });
});

describe('what the Debian package says of itself', () => {
  const control = renderControl({
    ...{ version: '1.2.3', architecture: 'amd64', maintainer: 'Acme <mail@acme.example>' },
    ...{ installedSize: 1000, depends: packages.run, suggests: packages.suggest },
  });

  it('depends on what it needs, and merely suggests the daemons it can look after', () => {
    const depends = /^Depends: (.*)$/m.exec(control)?.[1]?.split(', ') ?? [];
    for (const name of packages.run.filter((one) => one !== 'util-linux')) {
      assert.ok(depends.includes(name), name);
    }
    assert.match(control, /^Suggests: .*clamav-daemon/m);
    assert.equal(depends.includes('clamav-daemon'), false);
  });

  it('has lines that dpkg reads: fields, and a description with a blank before each line', () => {
    for (const line of control.trimEnd().split('\n')) assert.match(line, /^([A-Z][\w-]+: \S| \S)/);
  });
});

describe('the command line of npm run package', () => {
  it('takes a version, and says what is none', () => {
    assert.deepEqual(parseArguments([]), { version: null, fast: false });
    assert.deepEqual(parseArguments(['--version', '1.1.0~rc1', '--fast']), {
      ...{ version: '1.1.0~rc1', fast: true },
    });
    for (const wrong of ['', 'v1', '1.0 beta', '1.0\nDepends: x', '1-1', '../1']) {
      assert.throws(() => parseArguments(['--version', wrong]), PackagingError, wrong);
    }
    assert.throws(() => parseArguments(['--slow']), PackagingError);
  });
});
