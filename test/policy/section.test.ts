import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { policyForm } from '../../lib/policy/form.js';
import { orderOf } from '../../lib/policy/order.js';
import { NO_POLICY, policySchema, type PolicySettings } from '../../lib/policy/schema.js';
import { policySection } from '../../lib/policy/section.js';
import { configView } from '../support/config-view.js';

const rendered = (change: Partial<PolicySettings>) =>
  policySection.render({ ...NO_POLICY, ...change }, configView(), {});

const ALL: Partial<PolicySettings> = {
  greylisting: true,
  spf: 'refuse',
  blockLists: [{ zone: 'bl.example', weight: 1, enabled: true }],
  senderDomain: true,
  fullAddresses: true,
  helo: true,
  messageRate: 100,
};

describe('the section Policy', () => {
  it('says nothing while nothing is on', () => {
    const { parameters, lists, master, files } = rendered({});
    assert.deepEqual(parameters, { mailserver_policy: null });
    assert.deepEqual(Object.values(lists ?? {}).flat(), []);
    assert.deepEqual(Object.values(master ?? {}), [null]);
    assert.ok(Object.values(files ?? {}).every((file) => file === null));
  });

  it('asks the cheap things first, and greylisting last', () => {
    const order = rendered(ALL).parameters?.['mailserver_policy'] ?? '';
    const places = [
      'permit_mynetworks',
      'permit_sasl_authenticated',
      'reject_non_fqdn_sender',
      'reject_unknown_sender_domain',
      'mailserver-spf',
      ':10040',
      ':10023',
    ].map((word) => order.indexOf(word));
    assert.ok(places.every((place) => place >= 0));
    assert.deepEqual(
      places,
      places.toSorted((a, b) => a - b),
    );
  });

  it('lets mail pass when a policy server does not answer', () => {
    const order = rendered(ALL).parameters?.['mailserver_policy'] ?? '';
    const servers = order.split('check_policy_service').slice(1);
    assert.equal(servers.length, 3);
    for (const server of servers) assert.match(server, /timeout=15s, default_action=DUNNO/);
  });

  it('never speaks of who may relay', () => {
    const { parameters = {}, lists = {} } = rendered(ALL);
    const names = [...Object.keys(parameters), ...Object.keys(lists)];
    assert.ok(!names.includes('smtpd_relay_restrictions') && !names.includes('mynetworks'));
  });

  it('is read back to what it said, as far as main.cf and master.cf know', () => {
    const output = rendered({ ...ALL, blockLists: [] });
    const set = Object.fromEntries(
      Object.entries(output.parameters ?? {}).filter(([, value]) => value !== null),
    ) as Record<string, string>;
    const service = output.master?.['mailserver-spf/unix']?.command ?? '';
    const view = configView(set, [`mailserver-spf unix - n n - 0 ${service}`]);
    const { settings } = policySection.read(view);
    assert.deepEqual(settings, { ...NO_POLICY, ...ALL, blockLists: [] });
  });
});

describe('the form of Policy', () => {
  const typed = (change: Record<string, string>, current: PolicySettings = NO_POLICY): unknown =>
    policyForm.fromForm({ ...policyForm.toForm(current), ...change }, current);

  it('means what it was made of, unchanged', () => {
    for (const settings of [NO_POLICY, { ...NO_POLICY, ...ALL }]) {
      assert.deepEqual(typed({}, settings), settings);
    }
  });

  it('takes a list that is only offered when it is switched on, and drops an emptied row', () => {
    const on = typed({ list0Use: 'yes' }) as PolicySettings;
    assert.deepEqual(on.blockLists, [{ zone: 'zen.spamhaus.org', weight: 2, enabled: true }]);
    const gone = typed({ list0Zone: '' }, { ...NO_POLICY, ...ALL }) as PolicySettings;
    assert.deepEqual(gone.blockLists, []);
  });

  it('keeps lists that the page of two versions sends as one text', () => {
    const values = { blockLists: 'bl.example:3:on,other.example:1:off' };
    const { blockLists } = policyForm.fromForm(values, NO_POLICY) as PolicySettings;
    assert.deepEqual(blockLists, [
      { zone: 'bl.example', weight: 3, enabled: true },
      { zone: 'other.example', weight: 1, enabled: false },
    ]);
  });

  it('refuses numbers that are none, and zones that are no domains', () => {
    for (const change of [
      { greylistDelay: '1' },
      { greylistDelay: 'abc' },
      { connections: '0' },
      { list0Use: 'yes', list0Weight: '11' },
      { list4Zone: 'no domain', list4Use: 'yes' },
      { list4Zone: 'zen.spamhaus.org', list4Use: 'yes', list0Use: 'yes' },
      { spf: 'maybe' },
    ]) {
      const { error } = policySchema.validate(typed(change));
      assert.ok(error, JSON.stringify(change));
    }
  });
});

describe('the order of restrictions', () => {
  const order = (recipient: string, classes: Record<string, string> = {}) =>
    orderOf({
      lists: { smtpd_recipient_restrictions: recipient },
      classes,
      policyPort: 10023,
      blockListsPort: 10040,
    });

  it('looks into classes, and knows what is ours and what is not', () => {
    const steps = order('reject_rbl_client bl.example, mailserver_policy', {
      mailserver_policy:
        'permit_mynetworks, check_policy_service { inet:127.0.0.1:10023, timeout=15s }',
    });
    assert.deepEqual(
      steps.map(({ key, ours }) => [key, ours]),
      [
        ['rbl', false],
        ['permitMynetworks', true],
        ['greylisting', true],
      ],
    );
  });

  it('tells what is never reached', () => {
    const steps = order('permit_mynetworks, permit, reject_unauth_destination');
    assert.deepEqual(
      steps.map(({ unreachable }) => unreachable),
      [false, false, true],
    );
  });

  it('does not fall over a class in itself', () => {
    assert.ok(order('loop', { loop: 'loop, permit' }).length > 0);
  });
});
