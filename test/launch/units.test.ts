import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { placesBelow } from '../../lib/launch/places.js';
import { consoleProgram } from '../../lib/launch/programs.js';
import { CONSOLE_UNIT, renderUnits } from '../../lib/launch/units.js';

const CURRENT = '/usr/local/lib/mailserver/current';

describe('the units of a machine', () => {
  const installation = { node: '/usr/bin/node', current: CURRENT };
  const units = renderUnits(placesBelow(''), installation, '/etc/default/mailserver-console');

  it('bound what one request may take of memory and of processes', () => {
    const helper = units['systemd/system/mailserver-helper@.service'] ?? '';
    assert.match(helper, /^MemoryMax=\d+[MG]$/m);
    assert.match(helper, /^TasksMax=\d+$/m);
  });

  it('let the console collect its garbage long before the limit of its memory', () => {
    const text = units[`systemd/system/${CONSOLE_UNIT}`] ?? '';
    const limit = Number(/^MemoryMax=(\d+)M$/m.exec(text)?.[1]);
    const heap = Number(/^ExecStart=.* --max-old-space-size=(\d+) \S+$/m.exec(text)?.[1]);
    assert.ok(heap <= limit / 2, text);
  });

  it('start the console as it is started without systemd', () => {
    const { args } = consoleProgram(
      placesBelow(''),
      { ...installation, release: CURRENT, isNew: false },
      {},
      2,
    );
    const text = units[`systemd/system/${CONSOLE_UNIT}`] ?? '';
    const [, command = ''] = /^ExecStart=(.*)$/m.exec(text) ?? [];
    assert.deepEqual(args.slice(args.indexOf(installation.node)), command.split(' '));
  });
});
