import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LoginService, MachineCertificate } from '../../lib/sections/section.js';
import { tlsSchema, type TlsSettings } from '../../lib/tls/schema.js';
import { tlsSection } from '../../lib/tls/section.js';
import { configView } from '../support/config-view.js';

const FOLDER = '/root-of-tests/etc/mailserver/certificates';
const PAIRS: readonly MachineCertificate[] = [
  { id: 'mail', chainFile: `${FOLDER}/mail.crt`, keyFile: `${FOLDER}/mail.key`, problem: null },
  {
    id: 'old',
    chainFile: `${FOLDER}/old.crt`,
    keyFile: `${FOLDER}/old.key`,
    problem: 'certificate.problem.expired',
  },
];
const DOVECOT: LoginService = { kind: 'dovecot', path: 'private/auth' };
const PLAIN: TlsSettings = {
  incoming: 'may',
  outgoing: 'may',
  certificate: '',
  submission: false,
  submissions: false,
};

function machine(
  set: Record<string, string> = {},
  services: readonly string[] = [],
  login: LoginService | null = DOVECOT,
) {
  return { ...configView(set, services), certificates: PAIRS, login };
}

function rendered(changes: Partial<TlsSettings>, system = machine()) {
  return tlsSection.render({ ...PLAIN, ...changes }, system, {});
}

describe('the section TLS', () => {
  it('names the pair that was chosen, and no other beside it', () => {
    const { parameters = {} } = rendered({ certificate: 'mail' });
    assert.equal(parameters['smtpd_tls_cert_file'], `${FOLDER}/mail.crt`);
    assert.equal(parameters['smtpd_tls_key_file'], `${FOLDER}/mail.key`);
    for (const name of ['smtpd_tls_chain_files', 'smtpd_tls_eccert_file', 'smtpd_tls_eckey_file']) {
      assert.equal(parameters[name], null);
    }
  });

  it('says nothing about the certificate while the one of the set-up stays', () => {
    const names = Object.keys(rendered({}).parameters ?? {});
    assert.deepEqual(names, ['smtpd_tls_security_level', 'smtp_tls_security_level']);
  });

  it('lets only people in at the submission ports who logged in over TLS', () => {
    const { master = {} } = rendered({ submission: true, submissions: true });
    for (const name of ['submission/inet', 'submissions/inet']) {
      const options = Object.fromEntries(master[name]?.options ?? []);
      assert.equal(options['smtpd_tls_security_level'], 'encrypt');
      assert.equal(options['smtpd_relay_restrictions'], 'permit_sasl_authenticated,reject');
      assert.equal(options['smtpd_recipient_restrictions'], '');
      assert.equal(options['smtpd_sasl_type'], 'dovecot');
      const wrapped = name === 'submissions/inet' ? 'yes' : undefined;
      assert.equal(options['smtpd_tls_wrappermode'], wrapped);
    }
  });

  it('asks saslauthd through a file of its own where Dovecot does not run', () => {
    const login = {
      kind: 'saslauthd',
      path: '/run/saslauthd/mux',
      configFolder: '/x/sasl',
    } as const;
    const { master = {}, files = {} } = rendered({ submission: true }, machine({}, [], login));
    const options = Object.fromEntries(master['submission/inet']?.options ?? []);
    assert.equal(options['smtpd_sasl_type'], 'cyrus');
    assert.equal(options['cyrus_sasl_config_path'], '/x/sasl');
    const content = files['/etc/postfix/sasl/mailserver.conf']?.content ?? '';
    assert.match(content, /^saslauthd_path: \/run\/saslauthd\/mux$/m);
    assert.equal(
      rendered({}, machine({}, [], login)).files?.['/etc/postfix/sasl/mailserver.conf'],
      null,
    );
  });

  it('takes a service that is there for the one it means, whatever it is called', () => {
    const byHand = ['smtps inet n - y - - smtpd -o smtpd_tls_wrappermode=yes'];
    const { settings } = tlsSection.read(machine({}, byHand));
    assert.equal(settings.submissions, true);
    assert.equal(settings.submission, false);
    assert.deepEqual(
      Object.keys(rendered({ submissions: true }, machine({}, byHand)).master ?? {}),
      ['smtps/inet'],
    );
    assert.deepEqual(rendered({}, machine({}, byHand)).master, { 'smtps/inet': null });
    assert.deepEqual(rendered({}).master, {});
  });

  it('is read from what stands in main.cf', () => {
    const set = {
      smtpd_tls_security_level: 'encrypt',
      smtpd_tls_cert_file: `${FOLDER}/mail.crt`,
    };
    assert.deepEqual(tlsSection.read(machine(set)).settings, {
      ...PLAIN,
      incoming: 'encrypt',
      outgoing: 'none',
      certificate: 'mail',
    });
    const { settings, unclear } = tlsSection.read(machine({ smtp_tls_security_level: 'dane' }));
    assert.equal(settings.outgoing, 'may');
    assert.deepEqual(unclear, [
      { parameter: 'smtp_tls_security_level', value: 'dane', key: 'tls.unclear.level' },
    ]);
  });

  it('refuses a pair that is bad or gone, but not one that went bad after it was chosen', () => {
    const step = (before: string, after: string) =>
      tlsSection.refuses?.(
        { ...PLAIN, certificate: before },
        { ...PLAIN, certificate: after },
        machine(),
      );
    assert.equal(step('', 'mail'), null);
    assert.deepEqual(step('', 'old'), { field: 'certificate', key: 'certificate.problem.expired' });
    assert.deepEqual(step('', 'gone'), { field: 'certificate', key: 'certificate.problem.gone' });
    assert.equal(step('old', 'old'), null);
  });

  it('refuses submission without anybody who checks passwords, or without a certificate', () => {
    const step = (system: ReturnType<typeof machine>, after: Partial<TlsSettings>) =>
      tlsSection.refuses?.(PLAIN, { ...PLAIN, ...after }, system);
    const withCertificate = { smtpd_tls_cert_file: '/etc/ssl/certs/ssl-cert-snakeoil.pem' };
    assert.equal(step(machine(withCertificate), { submission: true }), null);
    assert.deepEqual(step(machine(withCertificate, [], null), { submission: true }), {
      field: 'submission',
      key: 'tls.problem.noLogin',
    });
    assert.deepEqual(step(machine(), { submissions: true }), {
      field: 'submissions',
      key: 'tls.problem.noCertificate',
    });
    assert.equal(step(machine(), { submissions: true, certificate: 'mail' }), null);
  });
});

describe('the settings of TLS', () => {
  it('name a certificate by a plain name, never by a path', () => {
    const fault = (certificate: string) => tlsSchema.validate({ ...PLAIN, certificate }).error;
    for (const good of ['', 'mail', 'mail.example.org', 'A_1-b'])
      assert.equal(fault(good), undefined);
    for (const bad of ['/etc/passwd', '../x', '.x', '-x', 'a b', 'a\nb', 'a/b', 'x'.repeat(102)]) {
      assert.ok(fault(bad), bad);
    }
  });
});
