import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { after, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { openDelivery } from '../../lib/fetcher/delivery.js';
import { findFreePort } from '../../lib/free-port.js';

describe('the way into Postfix', () => {
  const server = createServer((client) => {
    client.write('220 here\r\n');
    client.once('data', () => client.write('250-here\r\n250 8BITMIME\r\n'));
  });
  after(() => server.close());

  it('is waited for while a save has not opened it yet', async () => {
    const port = await findFreePort();
    const opening = openDelivery(port);
    await pause(300);
    server.listen(port, '127.0.0.1');
    const delivery = await opening;
    assert.deepEqual(delivery?.offers, ['8BITMIME']);
    delivery?.close();
  });

  it('is given up when nobody ever listens', async () => {
    assert.equal(await openDelivery(await findFreePort()), null);
  });
});
