import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isAllowedNetwork, relaySchema } from '../../lib/relay-subnets/schema.js';
import { relaySection } from '../../lib/relay-subnets/section.js';
import { configView } from '../support/config-view.js';

const DEBIAN = '127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128';

function readNetworks(mynetworks: string) {
  return relaySection.read(configView({ mynetworks }));
}

function written(networks: readonly string[], mynetworks: string): readonly string[] {
  const output = relaySection.render({ networks }, configView({ mynetworks }), {});
  return (output.lists?.['mynetworks'] ?? []).map(({ value }) => value);
}

describe('the section Open relay subnets', () => {
  it('reads what Debian sets, where the IPv4-mapped form says nothing new', () => {
    const { settings, unclear } = readNetworks(DEBIAN);
    assert.deepEqual(settings.networks, ['127.0.0.0/8', '::1']);
    assert.deepEqual(unclear, []);
  });

  it('reads what Postfix makes up itself where mynetworks is not set', () => {
    const { settings } = readNetworks('127.0.0.0/8 172.17.0.2/32 [::1]/128 [fe80::1]/128');
    assert.deepEqual(settings.networks, ['127.0.0.0/8', '172.17.0.2', '::1', 'fe80::1']);
  });

  it('leaves alone what no row can say, and tells it', () => {
    const { settings, unclear } = readNetworks(
      '!192.168.1.9, 192.168.1.0/24, hash:/etc/postfix/networks, $other, 10.1.2.3/8, 0.0.0.0/0, 128.0.0.0/1',
    );
    assert.deepEqual(settings.networks, ['192.168.1.0/24']);
    assert.deepEqual(
      unclear.map(({ value, key }) => [value, key]),
      [
        ['!192.168.1.9', 'relay.unclear.element'],
        ['hash:/etc/postfix/networks', 'relay.unclear.element'],
        ['$other', 'relay.unclear.element'],
        ['10.1.2.3/8', 'relay.unclear.element'],
        ['0.0.0.0/0', 'relay.unclear.everyone'],
        ['128.0.0.0/1', 'relay.unclear.tooWide'],
      ],
    );
  });

  it('writes a network as it is written already, and new ones as Postfix wants them', () => {
    assert.deepEqual(written(['192.168.1.5', '::1'], '192.168.1.5/32, [::1]/128'), [
      '192.168.1.5/32',
      '[::1]/128',
    ]);
    assert.deepEqual(written(['192.168.1.5', 'fd12::/48', '2001:db8::7'], DEBIAN), [
      '192.168.1.5',
      '[fd12::]/48',
      '[2001:db8::7]',
    ]);
  });

  it('refuses to lose this machine itself, unless something wider keeps it', () => {
    const step = (before: string[], after: string[]) =>
      relaySection.refuses?.({ networks: before }, { networks: after }, configView());
    const problem = { field: 'network', key: 'relay.problem.loopback' };
    assert.deepEqual(step(['127.0.0.0/8', '::1'], ['::1']), problem);
    assert.deepEqual(step(['127.0.0.0/8', '::1'], ['127.0.0.1', '::1']), problem);
    assert.equal(step(['127.0.0.0/8', '127.0.0.1'], ['127.0.0.0/8']), null);
    assert.equal(step(['127.0.0.0/8', '10.0.0.0/8'], ['127.0.0.0/8']), null);
    assert.equal(step(['10.0.0.0/8'], []), null);
  });

  it('takes plain networks in the list for hand edits of its kind, nothing else', () => {
    const claims = (element: string) => relaySection.claims?.('mynetworks', element);
    for (const own of ['0.0.0.0/0', '10.0.0.0/8', '[::1]/128']) assert.equal(claims(own), true);
    for (const foreign of ['[::ffff:127.0.0.0]/104', '!10.0.0.1', '$x', 'hash:/x']) {
      assert.equal(claims(foreign), false);
    }
  });
});

describe('the settings of Open relay subnets', () => {
  it('hold canonical networks that may be let in, each once', () => {
    assert.ok(isAllowedNetwork('192.168.1.0/24'));
    const wrong = [
      ['0.0.0.0/0'],
      ['::/0'],
      ['300.1.2.3/40'],
      ['192.168.1.7/24'],
      ['192.168.1.7/32'],
      ['[::1]'],
      ['FD12::/48'],
      ['::ffff:10.0.0.0/104'],
      ['10.0.0.0/8', '10.0.0.0/8'],
      ['10.0.0.0/8\n0.0.0.0/0'],
      ['static:all'],
      [7],
    ];
    for (const networks of wrong)
      assert.ok(relaySchema.validate({ networks }).error, String(networks));
    assert.ok(relaySchema.validate({ networks: [], extra: true }).error);
  });
});
