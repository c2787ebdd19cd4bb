import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  offeredProtocols,
  PROTOCOLS,
  faultsOf,
  fetchmailSchema,
  querySchema,
  type FetchQuery,
} from '../../lib/fetchmail/schema.js';
import { bindingOf, keepsPassword } from '../../lib/fetchmail/security.js';
import { hostileTexts } from '../attack/hostile.js';
import { someQuery } from '../support/queries.js';

const faults = (more: Partial<FetchQuery>): readonly string[] =>
  faultsOf(someQuery(more)).map(({ field, fault }) => `${field}: ${fault}`);

describe('a fetchmail query', () => {
  it('is taken as a person would fill it in', () => {
    assert.deepEqual(faults({}), []);
    assert.deepEqual(faults({ protocol: 'pop3', keep: true, port: 1110 }), []);
    const multidrop = { users: [], localDomains: ['example.com'], envelope: 'X-Envelope-To' };
    assert.deepEqual(faults({ destination: 'multidrop', ...multidrop }), []);
    const etrn = { protocol: 'etrn', remoteUser: '', remotePassword: '', ssl: 'none' } as const;
    const domains = { destination: 'multidrop', users: [], localDomains: ['example.com'] } as const;
    assert.deepEqual(faults({ ...etrn, ...domains, certificate: 'none' }), []);
  });

  const wrong: readonly (readonly [Partial<FetchQuery>, string])[] = [
    [{ name: '' }, 'name: name'],
    [{ name: 'other.example' }, 'name: server'],
    [{ sameServer: false, server: 'not a server' }, 'server: server'],
    [{ port: 0 }, 'port: port'],
    [{ port: 65_536 }, 'port: port'],
    [{ remoteUser: '' }, 'remoteUser: remoteUserEmpty'],
    [{ remoteUser: 'a\nb' }, 'remoteUser: remoteUser'],
    [{ remotePassword: 'in clear' }, 'remotePassword: remotePassword'],
    [{ users: [] }, 'users: usersEmpty'],
    [{ users: ['|/bin/sh'] }, 'users: users'],
    [{ destination: 'alias' }, 'alias: alias'],
    [{ destination: 'alias', alias: '@example.com' }, 'alias: alias'],
    [{ destination: 'address', address: '/etc/passwd' }, 'address: address'],
    [{ destination: 'multidrop' }, 'localDomains: localDomainsEmpty'],
    [{ envelope: 'X-To: evil' }, 'envelope: envelope'],
    [{ keep: true, fetchAll: true }, 'fetchAll: keepFetchAll'],
    [{ protocol: 'pop3', folders: ['Archive'] }, 'folders: foldersProtocol'],
    [{ interval: 1 }, 'interval: interval'],
    [{ interval: Number.NaN }, 'interval: interval'],
    [{ sizeLimit: -1 }, 'sizeLimit: sizeLimit'],
    [{ certificate: 'fingerprint' }, 'fingerprint: fingerprint'],
    [{ protocol: 'etrn', ssl: 'tls' }, 'ssl: sslProtocol'],
    [{ name: '192.0.2.1', server: '192.0.2.1' }, 'certificate: certificateAddress'],
  ];
  for (const [more, fault] of wrong) {
    it(`is refused with ${JSON.stringify(more)}`, () => {
      assert.ok(faults(more).includes(fault), faults(more).join('; '));
    });
  }

  it('has no place for a command, a file or any unknown option', () => {
    const options = [
      'preconnect',
      'postconnect',
      'mda',
      'bsmtp',
      'plugin',
      'plugout',
      'properties',
    ];
    for (const option of [...options, 'sslcert', 'netrc', 'logfile', 'idle', '__proto__']) {
      const text = JSON.stringify(someQuery()).replace('{', `{"${option}":"touch /tmp/x",`);
      const query = JSON.parse(text) as unknown;
      assert.ok(querySchema.validate(query).error, option);
      assert.ok(fetchmailSchema.validate({ queries: [query] }).error, option);
    }
    for (const field of Object.keys(someQuery()) as (keyof FetchQuery)[]) {
      const rest = Object.fromEntries(
        Object.entries(someQuery()).filter(([name]) => name !== field),
      );
      assert.ok(querySchema.validate(rest).error, `without ${field}`);
      assert.ok(querySchema.validate({ ...rest, [field]: { toString: 'x' } }).error, field);
    }
  });

  it('takes no line break, no half character and no other end of a line in any text', () => {
    const never = hostileTexts('/tmp/canary').filter((text) =>
      /[\p{Cc}\p{Cs}\u2028\u2029]/u.test(text),
    );
    for (const [field, value] of Object.entries(someQuery({ folders: ['A'], localDomains: [] }))) {
      for (const text of never) {
        const changed = Array.isArray(value) ? [text] : typeof value === 'string' ? text : null;
        if (changed === null) continue;
        const { error } = querySchema.validate({ ...someQuery(), [field]: changed });
        assert.ok(error, `${field}: ${JSON.stringify(text).slice(0, 60)}`);
      }
    }
  });

  it('is not there twice under one id', () => {
    assert.ok(fetchmailSchema.validate({ queries: [someQuery(), someQuery()] }).error);
  });
});

describe('the password of a query', () => {
  const before = someQuery();
  it('goes on to be used when nothing it is bound to changes, or the connection gets safer', () => {
    const none = someQuery({ ssl: 'none', certificate: 'none', port: 993 });
    assert.ok(keepsPassword(before, someQuery({ name: 'renamed', sameServer: false, keep: true })));
    assert.ok(keepsPassword(before, someQuery({ port: 993 })), 'the same port, named');
    assert.ok(keepsPassword(none, before));
  });
  it('is asked for again when it would go elsewhere, or over a weaker connection', () => {
    const elsewhere: Partial<FetchQuery>[] = [
      { server: 'evil.example' },
      { port: 9_993 },
      { protocol: 'pop3' },
      { remoteUser: 'you' },
      { ssl: 'none', certificate: 'none', port: 993 },
      { certificate: 'none' },
      { certificate: 'fingerprint', fingerprint: Array(16).fill('AA').join(':') },
    ];
    for (const more of elsewhere) {
      assert.equal(keepsPassword(before, someQuery(more)), false, JSON.stringify(more));
      assert.notDeepEqual(bindingOf(before), bindingOf(someQuery(more)));
    }
  });
});

describe('the protocols of a fetchmail', () => {
  it('are those it says it can', () => {
    const dump = "TRUE=1\nfeature_options = ('pop3','imap','gssapi','etrn','ssl',)\n# x";
    assert.deepEqual(offeredProtocols(dump), ['imap', 'pop3', 'auto', 'apop', 'rpop', 'etrn']);
  });
  it('are all there are when it does not say', () => {
    assert.deepEqual(offeredProtocols(''), PROTOCOLS);
  });
});
