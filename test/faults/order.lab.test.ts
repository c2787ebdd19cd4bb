/** Power loss cannot be tried here; the order of what goes to disk can: content before name, name before the next step. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createHelper } from '../../lib/client/helper.js';
import { createProcessTransport } from '../../lib/client/process-transport.js';
import { startPostfixRoot, type PostfixRoot } from '../support/postfix-root.js';
import { Saver } from '../support/saver.js';

interface Step {
  readonly call: 'fsync' | 'rename' | 'unlink';
  /** What it concerns; of a rename what is moved. */
  readonly path: string;
  /** Of a rename where to. */
  readonly to: string;
}

/** A line of strace with paths of descriptors (`--decode-fds`), such as `12 fsync(19</a/b>) = 0`. */
const LINE = /^\d+\s+(fsync|rename|unlink)\((?:\d+<([^>]*)>|"([^"]*)")(?:, "([^"]*)")?\)\s+= 0/;

/**
 * Lines of strace with each call on one line, at the place where it returned: a call that other threads ran beside is
 * written as `12 fsync(19</a> <unfinished ...>` and later `12 <... fsync resumed>) = 0`.
 */
function wholeCalls(lines: readonly string[]): string[] {
  const begun = new Map<string, string>();
  return lines.flatMap((line) => {
    const [, unfinished] = /^(.*?)\s*<unfinished \.\.\.>$/.exec(line) ?? [];
    const thread = line.split(/\s/, 1)[0] ?? '';
    if (unfinished !== undefined) {
      begun.set(thread, unfinished);
      return [];
    }
    return [line.replace(/^\d+\s+<\.\.\. \w+ resumed>/, () => begun.get(thread) ?? '')];
  });
}

describe('a save', () => {
  let root: PostfixRoot;
  let steps: readonly Step[];

  before(async () => {
    root = await startPostfixRoot();
    const { places, enter } = root;
    const trace = `${places.root}/trace`;
    const strace = [
      ...['/usr/bin/strace', '--follow-forks', '--quiet=all', '--decode-fds=path', '--seccomp-bpf'],
      ...['--string-limit=300', `--output=${trace}`, '--env=UV_THREADPOOL_SIZE=1'],
      '--trace=fsync,rename,unlink',
    ];
    const traced = createProcessTransport({ root: places.root, enter: [...enter, ...strace] });
    // The first save of a root writes main.cf, master.cf, journal and state.
    const saver = new Saver(createHelper(root.transport));
    const base = { ...(await saver.base()), mailServerName: 'order.example' };
    await new Saver(createHelper(traced)).save({ base });
    const lines = (await readFile(trace, 'utf8')).split('\n');
    steps = wholeCalls(lines).flatMap((line) => {
      const [, call, file, name, to = ''] = LINE.exec(line) ?? [];
      const one = file ?? name ?? '';
      // Of the tools' own work in the stage nothing needs to last.
      if (!call || one.includes('/stages/') || !one.startsWith(places.root)) return [];
      return [{ call: call as Step['call'], path: one, to }];
    });
  });
  after(() => root.stop());

  const renames = () => [...steps.entries()].filter(([, step]) => step.call === 'rename');

  it('renames journal, main.cf, master.cf and state, in this order', () => {
    const { configDir, stateDir } = root.places;
    assert.deepEqual(
      renames().map(([, { to }]) => to),
      [
        `${stateDir}/journal.json`,
        `${configDir}/main.cf`,
        `${configDir}/master.cf`,
        `${stateDir}/applied.json`,
      ],
    );
  });

  it('syncs the content of every file before it gets its name', () => {
    for (const [index, { path: moved, to }] of renames()) {
      const synced = steps
        .slice(0, index)
        .some((step) => step.call === 'fsync' && step.path === moved);
      assert.ok(synced, `${to} was renamed into place unsynced`);
    }
  });

  it('has the old files and the journal on disk before the first of them is replaced', () => {
    const { configDir, stateDir } = root.places;
    const first = steps.findIndex(({ to }) => to === `${configDir}/main.cf`);
    const journal = steps.findIndex(({ to }) => to === `${stateDir}/journal.json`);
    const syncs = (from: number, until: number, folder: string) =>
      steps.slice(from, until).some((step) => step.call === 'fsync' && step.path === folder);
    assert.ok(syncs(0, journal, configDir), 'the links to the old files may be lost');
    assert.ok(syncs(journal, first, stateDir), 'the journal may be lost');
  });

  it('syncs every folder after the renames in it, and before the step that relies on them', () => {
    for (const [index, { to }] of renames()) {
      const folder = path.dirname(to);
      const rest = steps.slice(index + 1);
      const sync = rest.findIndex((step) => step.call === 'fsync' && step.path === folder);
      assert.ok(sync >= 0, `${folder} was not synced after ${to}`);
      const relying = rest.findIndex(
        (step) => step.call !== 'fsync' && path.dirname(step.to || step.path) !== folder,
      );
      assert.ok(relying < 0 || sync < relying, `${folder} was synced too late for ${to}`);
    }
  });

  it('forgets the old files only after the new state is on disk', () => {
    const { configDir, stateDir } = root.places;
    const state = steps.findIndex(({ to }) => to === `${stateDir}/applied.json`);
    const synced = steps.findIndex(
      (step, index) => index > state && step.call === 'fsync' && step.path === stateDir,
    );
    const forgotten = steps.findIndex(
      ({ call, path: file }) =>
        call === 'unlink' && file === `${configDir}/.main.cf.mailserver-old`,
    );
    const closed = steps.findIndex(
      ({ call, path: file }) => call === 'unlink' && file === `${stateDir}/journal.json`,
    );
    assert.ok(state >= 0 && state < synced && synced < forgotten && forgotten < closed);
  });
});
