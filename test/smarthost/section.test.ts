import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, it } from 'node:test';
import type { ConfigView } from '../../lib/privileged/postfix/config-view.js';
import { encodePublicKey, open, seal } from '../../lib/secrets/seal.js';
import { bindingOf, openPassword } from '../../lib/smarthost/binding.js';
import { NO_SMARTHOST, type SmarthostSettings } from '../../lib/smarthost/schema.js';
import { smarthostSection } from '../../lib/smarthost/section.js';
import { configView } from '../support/config-view.js';

const pair = generateKeyPairSync('x25519');
const publicKey = encodePublicKey(pair.publicKey);
const OWN_TABLE = 'lmdb:/root-of-tests/etc/postfix/mailserver.d/smarthost-password';
const SMTPS_LINE =
  'mailserver-smtps unix - - n - - smtp -o smtp_tls_wrappermode=yes -o smtp_tls_security_level=encrypt';

type Lookup = Readonly<Record<string, string>>;

/** A machine that can open and seal; `lookups` are answers by `parameter key`. */
function machine(
  set: Readonly<Record<string, string>> = {},
  lookups: Lookup = {},
  services: readonly string[] = [],
): ConfigView {
  return {
    ...configView(set, services),
    open: (box, binding) => open(pair.privateKey, box, binding),
    seal: (secret, binding) => seal(publicKey, secret, binding),
    lookup: (parameter, key) => lookups[`${parameter} ${key}`] ?? null,
  };
}

function settings(
  changes: Partial<SmarthostSettings> = {},
  password = 'secret',
): SmarthostSettings {
  const target = { ...NO_SMARTHOST, host: 'mail.example.org', username: 'me', ...changes };
  const box = target.username === '' ? '' : seal(publicKey, password, bindingOf(target));
  return { ...target, password: box };
}

function rendered(given: SmarthostSettings, system = machine()) {
  const {
    parameters = {},
    lists = {},
    master = {},
    tables = {},
  } = smarthostSection.render(given, system, {});
  return {
    parameters,
    policies: (lists['smtp_tls_policy_maps'] ?? []).map(({ value }) => value),
    smtps: master['mailserver-smtps/unix'],
    tables: Object.fromEntries(
      Object.entries(tables).map(([name, table]) => [name, [...(table?.entries ?? [])]]),
    ),
  };
}

describe('the section Smarthost', () => {
  it('says in a policy for this server alone how strictly the connection is encrypted', () => {
    const levels = {
      none: 'none',
      may: 'may',
      starttls: 'secure',
      smtps: 'secure',
    } as const;
    for (const [tls, level] of Object.entries(levels)) {
      const { policies, parameters } = rendered(settings({ tls: tls as keyof typeof levels }));
      assert.deepEqual(policies, [`inline:{ { [mail.example.org]:587 = ${level} } }`]);
      assert.equal('smtp_tls_security_level' in parameters, false);
    }
    const { policies } = rendered(settings({ verify: false }));
    assert.deepEqual(policies, ['inline:{ { [mail.example.org]:587 = encrypt } }']);
  });

  it('keeps the password in a secret table, under the name of this server', () => {
    const given = settings({ host: '2001:db8::1', verify: false }, ': #|+"\\ä ');
    assert.throws(() => rendered(given), /trailing/);
    const { tables, parameters } = rendered(settings({}, ': #|+"\\ä$x'));
    assert.deepEqual(tables, {
      'smarthost-password': [['[mail.example.org]:587', 'me:: #|+"\\ä$x']],
    });
    assert.equal(parameters['smtp_sasl_password_maps'], OWN_TABLE);
    assert.equal(parameters['smtp_sasl_auth_enable'], 'yes');
    const [table] = Object.values(smarthostSection.render(settings(), machine(), {}).tables ?? {});
    assert.equal(table?.secret, true);
  });

  it('sends a password readable only where somebody chose to have no encryption', () => {
    const options = (tls: SmarthostSettings['tls']) =>
      rendered(settings({ tls })).parameters['smtp_sasl_security_options'];
    assert.equal(options('none'), 'noanonymous');
    for (const tls of ['may', 'starttls', 'smtps'] as const) {
      assert.equal(options(tls), 'noplaintext, noanonymous');
    }
  });

  it('leaves nothing of the login when it is removed', () => {
    const { parameters, tables } = rendered(settings({ username: '' }));
    for (const name of [
      'auth_enable',
      'password_maps',
      'security_options',
      'tls_security_options',
    ]) {
      assert.equal(parameters[`smtp_sasl_${name}`], null);
    }
    assert.deepEqual(tables, {});
  });

  it('speaks SMTPS through a transport of its own, so that other deliveries go on as before', () => {
    const { parameters, smtps } = rendered(settings({ tls: 'smtps', port: 465 }));
    assert.equal(parameters['default_transport'], 'mailserver-smtps');
    assert.equal(parameters['smtp_tls_wrappermode'], null);
    assert.deepEqual(smtps?.options[0], ['smtp_tls_wrappermode', 'yes']);
    const other = rendered(settings());
    assert.equal(other.parameters['default_transport'], null);
    assert.equal(other.smtps, null);
  });

  it('gives the authorities to check against only where nobody gave any', () => {
    const file = (set: Record<string, string>, changes = {}) =>
      rendered(settings(changes), machine(set)).parameters['smtp_tls_CAfile'];
    assert.equal(file({}), '/etc/ssl/certs/ca-certificates.crt');
    assert.equal(file({ smtp_tls_CApath: '/etc/ssl/certs' }), undefined);
    assert.equal(file({ smtp_tls_CAfile: '/x' }), undefined);
    assert.equal(file({}, { verify: false }), undefined);
  });

  it('refuses a password that was sealed for another server or a stricter connection', () => {
    const elsewhere = { ...settings(), host: 'mail.attacker.example' };
    assert.throws(() => rendered(elsewhere), RangeError);
    assert.throws(() => rendered({ ...settings(), verify: false }), RangeError);
    assert.doesNotThrow(() => rendered({ ...settings({ verify: false }), verify: true }));
  });

  it('refuses to go on with the password when a later step makes the connection weaker again', () => {
    const box = settings({ verify: false }).password;
    const step = (before: object, after: object) =>
      smarthostSection.refuses?.(
        { ...settings(), password: box, ...before },
        { ...settings(), password: box, ...after },
        machine(),
      );
    const again = { field: 'password', key: 'smarthost.problem.passwordAgain' };
    assert.deepEqual(step({ verify: true }, { verify: false }), again);
    assert.equal(step({ verify: false }, { verify: true }), null);
    assert.equal(step({ verify: true }, { verify: false, password: settings().password }), null);
  });

  it('is read back as it was written', () => {
    for (const tls of ['none', 'may', 'starttls', 'smtps'] as const) {
      const verify = tls === 'starttls' || tls === 'smtps';
      const given = settings({ tls, verify, mx: tls === 'may' });
      const { parameters, policies, smtps } = rendered(given);
      const set = Object.fromEntries(
        Object.entries(parameters).filter((entry): entry is [string, string] => entry[1] !== null),
      );
      const hop = given.mx ? 'mail.example.org:587' : '[mail.example.org]:587';
      const after = machine(
        { ...set, smtp_tls_policy_maps: policies.join(', ') },
        { [`smtp_sasl_password_maps ${hop}`]: 'me:secret' },
        smtps ? [SMTPS_LINE] : [],
      );
      const { settings: read, unclear } = smarthostSection.read(after);
      assert.deepEqual(unclear, []);
      assert.deepEqual({ ...read, password: '' }, { ...given, password: '' });
      const unseal = (box: string, binding: readonly string[]) =>
        open(pair.privateKey, box, binding);
      assert.equal(openPassword(read, unseal), 'secret');
    }
  });
});

describe('a smarthost set up by hand', () => {
  const HAND_MADE = {
    relayhost: '[mail.example.org]:submission',
    smtp_tls_security_level: 'encrypt',
    smtp_sasl_auth_enable: 'yes',
    smtp_sasl_password_maps: 'hash:/etc/postfix/sasl_passwd',
  };
  const byHand = (changes: Record<string, string> = {}, key = '[mail.example.org]:587') =>
    machine({ ...HAND_MADE, ...changes }, { [`smtp_sasl_password_maps ${key}`]: 'me:se:cret' });

  it('is understood, login and all, without anybody seeing the password', () => {
    const { settings: read, unclear } = smarthostSection.read(byHand());
    assert.deepEqual(unclear, []);
    const { password, ...rest } = read;
    assert.deepEqual(rest, {
      host: 'mail.example.org',
      port: 587,
      mx: false,
      tls: 'starttls',
      verify: false,
      username: 'me',
    });
    assert.match(password, /^mb1\./);
  });

  it('keeps its password table as long as the login stays, and loses it with the login', () => {
    for (const key of ['[mail.example.org]:587', 'mail.example.org']) {
      const system = byHand({}, key);
      const { settings: read } = smarthostSection.read(system);
      const same = rendered(read, system);
      assert.equal(same.parameters['smtp_sasl_password_maps'], 'hash:/etc/postfix/sasl_passwd');
      assert.deepEqual(same.tables, {});
      const other = rendered(settings({ verify: false }, 'another'), system);
      assert.equal(other.parameters['smtp_sasl_password_maps'], OWN_TABLE);
      const none = rendered({ ...read, username: '', password: '' }, system);
      assert.equal(none.parameters['smtp_sasl_password_maps'], null);
    }
  });

  it('may wrap all of smtp(8) in TLS; that ends when SMTPS ends', () => {
    const system = byHand({ relayhost: '[mail.example.org]:465', smtp_tls_wrappermode: 'yes' });
    const { settings: read } = smarthostSection.read(system);
    assert.equal(read.tls, 'smtps');
    assert.equal(rendered({ ...read, username: '', password: '' }, system).smtps, null);
    const kept = rendered({ ...read, username: '', password: '' }, system).parameters;
    assert.equal(kept['smtp_tls_wrappermode'], 'yes');
    const starttls = { ...read, tls: 'starttls', username: '', password: '' } as const;
    assert.equal(rendered(starttls, system).parameters['smtp_tls_wrappermode'], null);
  });

  it('is told apart from what no form can say', () => {
    const keys = (set: Record<string, string>) =>
      smarthostSection.read(machine(set)).unclear.map(({ key }) => key);
    assert.deepEqual(keys({ relayhost: '[a.example], [b.example]' }), ['smarthost.unclear.host']);
    assert.deepEqual(keys({ relayhost: '$mydomain' }), ['smarthost.unclear.host']);
    assert.deepEqual(keys({ relayhost: 'a.example', smtp_tls_security_level: 'dane' }), [
      'smarthost.unclear.tls',
    ]);
    assert.deepEqual(keys(HAND_MADE), ['smarthost.unclear.login']);
    assert.deepEqual(keys({}), []);
  });
});
