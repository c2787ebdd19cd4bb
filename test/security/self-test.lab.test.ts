/** Mail that a scanner has to find is sent to nobody elsewhere. Postfix' own tables say where it would go. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { it } from 'node:test';
import { HelperError } from '../../lib/errors.js';
import { pathsBelow } from '../../lib/privileged/paths.js';
import { selfTest } from '../../lib/privileged/scanning/self-test.js';
import { EMPTY_STATE, writeState } from '../../lib/privileged/state.js';
import { SECURITY_DEFAULTS } from '../../lib/security/schema.js';

it('sends no test virus along an alias to another server', async () => {
  const paths = pathsBelow(await mkdtemp(`${tmpdir()}/mailserver-self-test-`));
  try {
    await mkdir(paths.configDir, { recursive: true });
    const mainCf = `${paths.configDir}/main.cf`;
    await writeFile(
      mainCf,
      [
        'compatibility_level = 3.6',
        'mydestination = here.test',
        'alias_maps =',
        'virtual_alias_maps = inline:{ { ann@here.test = ann@elsewhere.test } }',
        '',
      ].join('\n'),
    );
    await writeFile(`${paths.configDir}/master.cf`, '127.0.0.1:1 inet n - n - - smtpd\n');
    // Postfix waits for one that is younger than two seconds.
    await utimes(mainCf, new Date(0), new Date(0));
    const security = { ...SECURITY_DEFAULTS, virus: true };
    const sections = { security, domains: { names: ['here.test'] } };
    await writeState(paths, { ...EMPTY_STATE, sections });
    const test = selfTest(
      { what: 'virus', recipient: 'ann@here.test', subject: 'x', text: 'y' },
      {
        paths,
        signal: new AbortController().signal,
        changing: () => Promise.reject(new Error('nothing is to be sent')),
        progress: () => undefined,
      },
    );
    await assert.rejects(test, (error) => {
      assert.ok(error instanceof HelperError, String(error));
      assert.equal(error.key, 'helper.security.notHere');
      assert.deepEqual(error.values, { recipient: 'ann@elsewhere.test' });
      return true;
    });
  } finally {
    await rm(paths.root, { recursive: true });
  }
});
