import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { placesBelow } from '../../lib/launch/places.js';
import { renderUnits } from '../../lib/launch/units.js';

describe('the units of a machine', () => {
  it('bound what one request may take of memory and of processes', () => {
    const installation = { node: '/usr/bin/node', current: '/usr/local/lib/mailserver/current' };
    const units = renderUnits(placesBelow(''), installation, '/etc/default/mailserver-console');
    const helper = units['systemd/system/mailserver-helper@.service'] ?? '';
    assert.match(helper, /^MemoryMax=\d+[MG]$/m);
    assert.match(helper, /^TasksMax=\d+$/m);
  });
});
