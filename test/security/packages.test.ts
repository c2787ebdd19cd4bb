import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readSimulation, readSizes, readStep } from '../../lib/privileged/packages/apt.js';
import {
  isOnAlready,
  missingPackages,
  missingPolicyPackages,
  packagesFor,
} from '../../lib/security/packages.js';
import { SECURITY_DEFAULTS } from '../../lib/security/schema.js';
import { SCANNERS_OFF } from '../support/recording-helper.js';

describe('what apt says', () => {
  it('of what it would install is read, upgrades and architectures too', () => {
    const text = `The following NEW packages will be installed:
  clamav-daemon
Inst libclamav12 [1.4.3+dfsg-1] (1.4.6+dfsg-1~deb12u1 Debian:12.15/oldstable [amd64])
Inst clamav-daemon:amd64 (1.4.6+dfsg-1~deb12u1 Debian:12.15/oldstable [amd64]) []
Conf libclamav12 (1.4.6+dfsg-1~deb12u1 Debian:12.15/oldstable [amd64])
`;
    assert.deepEqual(readSimulation(text), [
      { name: 'libclamav12', version: '1.4.6+dfsg-1~deb12u1' },
      { name: 'clamav-daemon:amd64', version: '1.4.6+dfsg-1~deb12u1' },
    ]);
  });

  it('of sizes is bytes', () => {
    const sizes = readSizes(
      'Package: postgrey\nVersion: 1.37-2\nInstalled-Size: 157\nSize: 50932\n\nPackage: pax\nVersion: 1:2\n',
    );
    assert.deepEqual(sizes.get('postgrey=1.37-2'), { download: 50_932, installed: 157 * 1024 });
    assert.deepEqual(sizes.get('pax=1:2'), { download: 0, installed: 0 });
  });

  it('while it works tells how far it is', () => {
    const lines = {
      'Get:1 http://deb.debian.org/debian bookworm/main amd64 postgrey all 1.37-2 [50.9 kB]':
        'fetch',
      'Unpacking postgrey (1.37-2) ...': 'unpack',
      'Setting up postgrey (1.37-2) ...': 'setUp',
      'Preparing to unpack .../postgrey_1.37-2_all.deb ...': null,
      'Get:1 http://deb.debian.org/debian bookworm InRelease [151 kB]': null,
    };
    for (const [line, step] of Object.entries(lines)) assert.equal(readStep(line), step, line);
  });
});

describe('what is missing', () => {
  it('is told of each page, and of each gap', () => {
    const status = {
      ...SCANNERS_OFF,
      amavis: { ...SCANNERS_OFF.amavis, installed: false, pax: false },
      clamav: { ...SCANNERS_OFF.clamav, installed: false },
    };
    const { spam, virus } = missingPackages(status);
    assert.deepEqual(spam, ['amavisd-new', 'pax']);
    assert.deepEqual(virus, ['amavisd-new', 'pax', 'clamav-daemon']);
    assert.deepEqual(missingPolicyPackages({ postgrey: true, spf: true }), []);
    assert.deepEqual(missingPolicyPackages({ postgrey: false, spf: true }), ['postgrey']);
    assert.deepEqual(packagesFor('security.gap.amavis.pax'), ['pax']);
    assert.deepEqual(packagesFor('security.gap.clamav.answers'), []);
  });

  it('and was installed is told as switched on only where all of it is', () => {
    const status = { ...SCANNERS_OFF, settings: { ...SECURITY_DEFAULTS, virus: true } };
    const clamav = ['libclamav12', 'clamav-daemon', 'clamav-freshclam'];
    assert.equal(isOnAlready(clamav, status), true);
    assert.equal(isOnAlready([...clamav, 'spamassassin'], status), false);
    assert.equal(isOnAlready(clamav, SCANNERS_OFF), false);
    assert.equal(isOnAlready(['postgrey'], status), false);
    const postgrey = {
      ...{ part: 'postgrey' as const, wanted: true, installed: true, running: true, used: true },
      ...{ atBoot: true, answers: true, dead: [] },
    };
    assert.equal(isOnAlready(['postgrey'], { ...status, policy: [postgrey] }), true);
  });
});
