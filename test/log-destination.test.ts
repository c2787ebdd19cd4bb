import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { createLogDestination } from '../lib/log-destination.js';
import { until } from './support/wait.js';

const MODULE = new URL('../lib/log-destination.js', import.meta.url).href;

describe('the destination of a log', () => {
  it('writes what a disk had no room for when it has room again, in its order', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'log-'));
    const full = openSync('/dev/full', 'w');
    const log = createLogDestination(full);
    log.write('first\n');
    log.write('second\n');
    // The lowest free number is given out again: the same descriptor has room from here on.
    closeSync(full);
    const path = join(folder, 'log');
    assert.equal(openSync(path, 'w'), full);
    log.write('third\n');
    await until('the lines to be written', () => readFileSync(path, 'utf8').includes('third'));
    assert.equal(readFileSync(path, 'utf8'), 'first\nsecond\nthird\n');
    closeSync(full);
    await rm(folder, { recursive: true });
  });

  it('lets a process end by itself, whatever waits', async () => {
    const program = `import { createLogDestination } from '${MODULE}';
      const log = createLogDestination(2);
      for (let line = 0; line < 100_000; line += 1) log.write('a line of some length\\n');
      setTimeout(() => process.exit(7), 1);`;
    const full = openSync('/dev/full', 'w');
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      stdio: ['ignore', 'ignore', full],
    });
    assert.deepEqual(await once(child, 'exit'), [7, null]);
    closeSync(full);
  });

  it('writes at the end of the process what was not written yet', async () => {
    const program = `import { createLogDestination } from '${MODULE}';
      const log = createLogDestination(2);
      for (const line of ['one', 'two', 'three']) log.write(line + '\\n');
      process.exit(0);`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let words = '';
    child.stderr.on('data', (chunk: Buffer) => (words += chunk.toString()));
    await once(child, 'close');
    // The first one is on its way already, and may come in between or last.
    assert.match(words, /two\nthree\n/);
  });
});
