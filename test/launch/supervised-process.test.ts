import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { startSupervised, type ProgramStart } from '../../lib/launch/supervised-process.js';
import { until } from '../support/wait.js';

const folder = mkdtempSync(join(tmpdir(), 'mailserver-supervised-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const READY = `console.log(JSON.stringify({ ready: true, pid: process.pid }));`;
const STAY = `setInterval(() => {}, 1000);`;

function program(script: string): ProgramStart {
  return { name: 'the program', command: process.execPath, args: ['-e', script], env: {}, log: 2 };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const watched = () => {
  const events: string[] = [];
  return {
    events,
    onRestart: () => void events.push('restarted'),
    onGivenUp: (reason: Error) => void events.push(reason.message),
  };
};

describe('a supervised process', () => {
  it('is there when it has said so, whatever it printed before', async () => {
    const running = await startSupervised(
      program(`console.log('loading'); console.log('{"ready":false}'); ${READY} ${STAY}`),
      watched(),
    );
    assert.equal(running.ready['pid'], running.pid);
    await running.stop();
    assert.equal(isAlive(running.pid), false);
  });

  it('is refused when it ends before it was ready', async () => {
    await assert.rejects(
      startSupervised(program('process.exit(3)'), watched()),
      /the program ended at its start \(code 3\)/,
    );
  });

  it('is refused when there is no such program', async () => {
    await assert.rejects(
      startSupervised({ ...program(''), command: join(folder, 'absent') }, watched()),
      /the program could not be started/,
    );
  });

  it('is started again after a crash', async () => {
    const events = watched();
    const running = await startSupervised(program(READY + STAY), events);
    const first = running.pid;
    process.kill(first, 'SIGKILL');
    await until('the restart', () => events.events.length > 0);
    assert.deepEqual(events.events, ['restarted']);
    assert.notEqual(running.pid, first);
    await running.stop();
    assert.equal(isAlive(running.pid), false);
  });

  it('is not started again once it was asked to stop', async () => {
    const count = join(folder, 'starts');
    writeFileSync(count, '');
    const script = `require('fs').appendFileSync(${JSON.stringify(count)}, 'x'); ${READY} ${STAY}`;
    const running = await startSupervised(program(script), watched());
    process.kill(running.pid, 'SIGKILL');
    await running.stop();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    assert.equal(readFileSync(count, 'utf8'), 'x');
  });

  it('is given up when it ends again and again', async () => {
    const events = watched();
    const running = await startSupervised(program(READY), events);
    await until('the end of the tries', () =>
      events.events.some((event) => event.includes('again and again')),
    );
    assert.equal(events.events.filter((event) => event !== 'restarted').length, 1);
    await running.stop();
  });
});
