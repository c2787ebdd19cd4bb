/** The helper against a web process that somebody else has taken over, and that speaks to its socket as it likes. */
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { after, afterEach, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { createHelper, type Helper } from '../../lib/client/helper.js';
import { createSocketTransport } from '../../lib/client/socket-transport.js';
import { ACTION_NAMES } from '../../lib/privileged/actions/index.js';
import { MAX_LINE_BYTES, type ApplyParams } from '../../lib/privileged/protocol.js';
import { sections } from '../../lib/sections/index.js';
import { startListener, type HelperSocket } from '../support/helper-sockets.js';
import { changedPaths, listFolder, type Listing } from '../support/listing.js';
import { startPostfixRoot, type PostfixRoot } from '../support/postfix-root.js';
import { Saver } from '../support/saver.js';
import { until } from '../support/wait.js';
import { ALWAYS, helpersOf, requestOf as request, sayRaw } from './intruder.js';
import { hostileTexts, HOSTILE_VALUES, PROTOTYPE_KEYS, withEachLeaf } from './hostile.js';
import { PROTOCOL_VERSION } from '../../lib/privileged/protocol.js';

/** Many at once, but not so many that a small machine does nothing else. */
const AT_ONCE = 6;
/** Requests with hostile fields; each is a process. */
const MAX_FIELD_REQUESTS = 120;
/** Longest part of a request in a message about it. */
const SHOWN = 120;
const NAME_PARAMETER = /^([a-z0-9_]+) =/gm;

describe('a taken-over web process', () => {
  let root: PostfixRoot;
  let listener: HelperSocket;
  let helper: Helper;
  let saver: Saver;
  let valid: Record<string, unknown>;
  let canary: string;
  let calm: Listing;

  before(async () => {
    root = await startPostfixRoot();
    listener = await startListener(root);
    helper = createHelper(createSocketTransport({ path: listener.path }));
    saver = new Saver(helper);
    canary = `${root.places.root}/canary`;
    const ids = sections.all.map(({ id }) => id);
    const read = await helper.call('read', { sections: ids }, { actor: 'attacker' });
    valid = Object.fromEntries(ids.map((id) => [id, read.sections[id]?.settings]));
    await helper.call('describe', {}, { actor: 'attacker' });
    calm = await listing();
  });
  after(async () => {
    await listener.stop();
    await root.stop();
  });
  afterEach(async () => {
    assert.equal(existsSync(canary), false, 'a program ran');
    assert.deepEqual(changedPaths(calm, await listing()), [], 'a file changed');
    await until('the end of every helper', async () => (await helpersOf(listener)) === 0);
  });

  const listing = () => listFolder(root.places.root, ALWAYS);
  const raw = (line: string | Buffer) => sayRaw(listener.path, line);

  async function assertRefused(
    line: string | Buffer,
    what: string,
    stages: readonly string[],
  ): Promise<void> {
    const answers = await raw(line);
    assert.equal(answers.length, 1, what);
    assert.ok(
      stages.includes(answers[0]?.error?.stage ?? ''),
      `${what}: ${JSON.stringify(answers[0])}`,
    );
    assert.equal(answers[0]?.error?.restored, true, what);
  }

  async function inTurns<T>(all: readonly T[], each: (one: T) => Promise<void>): Promise<void> {
    const waiting = [...all];
    const worker = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await each(next);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  }

  const applyOf = (
    settings: Record<string, unknown>,
    more: object = {},
  ): Record<string, unknown> => ({
    databaseId: saver.databaseId,
    change: 1,
    dryRun: false,
    sections: settings,
    ...more,
  });

  it('gets nothing from what is no request', async () => {
    const lines: (string | Buffer)[] = [
      ...[
        '\n',
        '{}\n',
        '[]\n',
        'null\n',
        'GET / HTTP/1.1\r\n\r\n',
        '#!/bin/sh\ntouch /x\n',
        `{"protocol":${PROTOCOL_VERSION}}\n`,
      ],
      ...[randomBytes(1000), Buffer.alloc(100), Buffer.from([0xff, 0xfe, 10])].map((bytes) =>
        Buffer.concat([bytes, Buffer.from('\n')]),
      ),
      `{"protocol":${PROTOCOL_VERSION},"action":"describe","actor":"x","params":{},"root":"/"}\n`,
      `{"protocol":${PROTOCOL_VERSION},"action":"describe","actor":"x","params":{},"__proto__":{"root":"/"}}\n`,
      request('describe', {}, { actor: 'x'.repeat(300) }),
      request('describe', {}, { protocol: 0 }),
      `${'['.repeat(MAX_LINE_BYTES - 1)}\n`,
      `{"protocol":${PROTOCOL_VERSION},"action":"apply","actor":"x","params":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}\n`,
      `${' '.repeat(MAX_LINE_BYTES + 1)}\n`,
    ];
    await inTurns(lines, (line) =>
      assertRefused(line, String(line).slice(0, SHOWN), ['protocol', 'validate']),
    );
  });

  it('finds no action that is not in the list', async () => {
    const names = [
      ...[
        '',
        'exec',
        'run',
        'shell',
        'write',
        'Apply',
        'apply ',
        'apply\0',
        'apply/../read',
        './apply.js',
      ],
      ...[
        '../keys.js',
        'file:///etc/passwd',
        'node:child_process',
        ...PROTOTYPE_KEYS,
        'hasOwnProperty',
        'x'.repeat(100_000),
      ],
    ];
    await inTurns(names, (name) =>
      assertRefused(request(name, {}), name.slice(0, SHOWN), ['protocol']),
    );
  });

  it('adds no parameter to any action', async () => {
    const keys = [
      ...PROTOTYPE_KEYS.filter((key) => key !== '__proto__'),
      'root',
      'path',
      'file',
      'command',
    ];
    const lines = ACTION_NAMES.flatMap((action) => [
      ...keys.slice(0, 4).map((key) => request(action, { [key]: '/etc' })),
      request(action, { ...applyOf(valid), extra: `$(touch ${canary})` }),
      `{"protocol":${PROTOCOL_VERSION},"action":"${action}","actor":"x","params":{"__proto__":{"dryRun":true}}}\n`,
    ]);
    await inTurns(lines, (line) =>
      assertRefused(line, line.slice(0, SHOWN), ['protocol', 'validate']),
    );
  });

  it('runs nothing and writes nothing by a hostile value in any field of any section', async () => {
    const lines: [string, string][] = [];
    const texts = hostileTexts(canary);
    for (const { id } of sections.all) {
      // All fields against one text each, all texts against one field each: every pair is in schemas.test.ts.
      const places = withEachLeaf(valid[id], 'x').length;
      for (let turn = 0; turn < Math.max(places, texts.length); turn += 1) {
        const text = texts[turn % texts.length] ?? '';
        const changed = withEachLeaf(valid[id], text)[turn % places];
        lines.push([
          request('apply', applyOf({ [id]: changed }, { dryRun: true })),
          `${id} ${text}`,
        ]);
      }
      for (const value of HOSTILE_VALUES) {
        lines.push([request('apply', applyOf({ [id]: value }, { dryRun: true })), `${id} other`]);
      }
    }
    const every = Math.ceil(lines.length / MAX_FIELD_REQUESTS);
    let refused = 0;
    await inTurns(
      lines.filter((_, index) => index % every === 0),
      async ([line, what]) => {
        const [answer] = await raw(line);
        // A note may hold nearly anything; what is taken must stay a value, which the listing shows.
        assert.ok(answer?.error?.restored ?? answer?.result, what.slice(0, SHOWN));
        if (answer?.error) refused += 1;
      },
    );
    assert.ok(refused > 0);
  });

  it('gets no section by a name that is a path or a part of every object', async () => {
    const ids = [
      '../base',
      '/etc/passwd',
      'base/../../x',
      'base\0',
      '',
      'Base',
      ...PROTOTYPE_KEYS,
      'x'.repeat(65),
    ];
    const lines = ids.flatMap((id) => {
      const inner = `{${JSON.stringify(id)}:${JSON.stringify(valid['base'])}}`;
      const params = JSON.stringify(applyOf({})).replace('"sections":{}', `"sections":${inner}`);
      return [
        `{"protocol":${PROTOCOL_VERSION},"action":"apply","actor":"x","params":${params}}\n`,
        request('read', { sections: [id] }),
      ];
    });
    await inTurns(lines, (line) =>
      assertRefused(line, line.slice(0, SHOWN), ['protocol', 'validate']),
    );
  });

  it('gets nowhere with made-up numbers, databases and digests', async () => {
    const { base } = valid;
    const changes = [0, -1, 1.5, 1e308, 2 ** 53, '1', null, [1], true];
    const databases = ['', 'x', '../../x', null, 1, `${randomUUID()}\n`, { $ne: 1 }];
    const overwrites = [
      { myhostname: 'x' },
      { myhostname: null },
      { 'a\nb': 'a'.repeat(64) },
      { '-e': 'a'.repeat(64) },
      { constructor: 'z'.repeat(64) },
      Object.fromEntries(
        Array.from({ length: 1_001 }, (_, index) => [`p${index}`, 'a'.repeat(64)]),
      ),
    ];
    const lines = [
      ...changes.map((change) => request('apply', applyOf({ base }, { change }))),
      ...databases.map((databaseId) => request('apply', applyOf({ base }, { databaseId }))),
      ...overwrites.map((overwrite) => request('apply', applyOf({ base }, { overwrite }))),
      request('apply', applyOf({ base }, { dryRun: 'false' })),
      request('apply', applyOf({ base }, { adopt: 1 })),
      request('apply', applyOf({})),
      request(
        'apply',
        applyOf(Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`s${index}`, {}]))),
      ),
    ];
    await inTurns(lines, (line) =>
      assertRefused(line, line.slice(0, SHOWN), ['protocol', 'validate']),
    );
  });

  it('finds nothing by trying at random', async () => {
    const noise = fc.oneof(
      fc.json(),
      fc.anything().map((value) => JSON.stringify(value) ?? 'null'),
    );
    // `{}` is no noise, but a good order to those that take no parameters.
    const orders = fc.tuple(fc.constantFrom(...ACTION_NAMES), noise);
    const samples = fc.sample(
      orders.filter(([, params]) => params !== '{}'),
      60,
    );
    await inTurns(samples, async ([action, params]) => {
      const text = params.replaceAll('\n', ' ');
      const answers = await raw(
        `{"protocol":${PROTOCOL_VERSION},"action":"${action}","actor":"x","params":${text}}\n`,
      );
      assert.equal(answers.length, 1, text);
      assert.ok(answers[0]?.error, `${action} ${text}`);
    });
  });

  it('leaves a log of all that, in whole lines, for root alone', async () => {
    const log = await readFile(`${root.places.stateDir}/audit-requests.log`, 'utf8');
    const entries = log
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { result: string });
    assert.ok(entries.some(({ result }) => result === 'protocol helper.protocol.action'));
    assert.ok(entries.some(({ result }) => result === 'validate helper.validate.params'));
    assert.equal(log.includes('touch'), false, 'what was refused is not repeated');
  });

  it('may change what an administrator may, and not a parameter, service or file more', async () => {
    const names = async () => {
      const answer = await root.run('/usr/sbin/postconf', ['-c', root.places.configDir, '-n']);
      return new Set([...answer.stdout.matchAll(NAME_PARAMETER)].map(([, name]) => name));
    };
    const before = await names();
    const params: ApplyParams = {
      databaseId: saver.databaseId,
      change: 1,
      dryRun: false,
      sections: {
        base: {
          ...(valid['base'] as object),
          mailServerName: 'evil.example',
          maxMessageSizeMb: null,
        },
        domains: { names: ['com', 'gmail.example', 'localhost'] },
      },
    };
    assert.equal((await helper.call('apply', params, { actor: 'attacker' })).status, 'applied');
    const added = [...(await names())].filter((name) => !before.has(name));
    const owned = sections.all.flatMap(({ owns }) => [...owns.parameters, ...owns.lists]);
    assert.deepEqual(
      added.filter((name) => !owned.includes(name ?? '')),
      [],
    );
    const written = changedPaths(calm, await listing());
    assert.deepEqual(written, [
      'etc/postfix/main.cf',
      'etc/postfix/master.cf',
      'var/lib/mailserver-helper/applied.json',
      // None of all that was refused before stands there, however much it was.
      'var/lib/mailserver-helper/audit.log',
    ]);
    const log = await readFile(`${root.places.stateDir}/audit.log`, 'utf8');
    const entries = log
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { result: string; params?: object });
    assert.deepEqual(
      entries.map(({ result }) => result),
      ['begins', 'done'],
    );
    assert.deepEqual(entries[0]?.params, {
      ...{ databaseId: saver.databaseId, change: 1, dryRun: false },
      ...{ sections: ['base', 'domains'], contents: [] },
    });
    calm = await listing();
  });

  it('can neither repeat a change with other settings nor come with an older or a foreign one', async () => {
    const { base } = valid;
    const replays = [
      applyOf({ base: { ...(base as object), mailServerName: 'other.example' } }),
      applyOf({ base }),
      applyOf({ base }, { databaseId: randomUUID(), change: 99 }),
    ];
    await inTurns(replays, (params) =>
      assertRefused(request('apply', params), 'replay', ['validate']),
    );
  });
});
