/** What of a fetchmailrc becomes queries: by the installed fetchmail's own word. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseConfigDump, UNREADABLE } from '../../lib/fetchmail/config-dump.js';
import { faultsOf, type QueryValues } from '../../lib/fetchmail/schema.js';
import { queriesIn } from '../../lib/fetchmail/take-over.js';

function found(runControl: string) {
  const answer = spawnSync('/usr/bin/fetchmail', ['-f', '-', '--configdump'], {
    ...{ input: runControl, encoding: 'latin1' },
    env: { HOME: '/', PATH: '/usr/bin', LC_ALL: 'C' },
  });
  assert.equal(answer.status, 0, answer.stderr);
  return queriesIn(parseConfigDump(answer.stdout), 'root');
}

function understood(runControl: string): QueryValues {
  const [one, ...others] = found(runControl);
  assert.equal(others.length, 0);
  const query = one?.query ?? assert.fail(one?.reason);
  assert.deepEqual(faultsOf(query, { password: false }), []);
  return query;
}

describe('a fetchmailrc', () => {
  it('becomes queries with what it says', () => {
    const query = understood(
      `set daemon 120
       poll imap.example.com proto IMAP timeout 30 interval 2
         user "anna" there with password "pa\\x22ss" is "alice" here
         ssl sslcertck keep folder Archive limit 1048576 fetchlimit 5 batchlimit 3 expunge 2 dropdelivered`,
    );
    const { server, sameServer, protocol, remoteUser, destination, users, ssl, certificate } =
      query;
    assert.deepEqual(
      { server, sameServer, protocol, remoteUser, destination, users, ssl, certificate },
      {
        ...{ server: 'imap.example.com', sameServer: true, protocol: 'imap', remoteUser: 'anna' },
        ...{ destination: 'user', users: ['alice'], ssl: 'tls', certificate: 'check' },
      },
    );
    const { keep, folders, interval, timeout, sizeLimit, fetchLimit, batchLimit, expunge } = query;
    assert.deepEqual(
      { keep, folders, interval, timeout, sizeLimit, fetchLimit, batchLimit, expunge },
      {
        ...{ keep: true, folders: ['Archive'], interval: 240, timeout: 30, sizeLimit: 1 },
        ...{ fetchLimit: 5, batchLimit: 3, expunge: 2 },
      },
    );
    assert.equal(query.dropDelivered, true);
  });

  it('may name one server for several people, another one under a name, or one that is skipped', () => {
    const all = found(
      `poll p.example.com proto pop3 user a pass x is alice here user b pass y is bob here
       skip name via mail.example.net proto imap user c pass z is "c@elsewhere.example" here`,
    );
    assert.deepEqual(
      all.map(({ query }) => [
        query?.name,
        query?.server,
        query?.enabled,
        query?.users,
        query?.address,
      ]),
      [
        ['p.example.com (a)', 'p.example.com', true, ['alice'], ''],
        ['p.example.com (b)', 'p.example.com', true, ['bob'], ''],
        ['name', 'mail.example.net', false, [], 'c@elsewhere.example'],
      ],
    );
  });

  it('may share a mailbox out', () => {
    const query = understood(
      `poll p.example.com proto pop3 localdomains example.org aka example.net envelope "X-Envelope-To"
         qvirtual "box-" user a pass x to * here`,
    );
    const { destination, localDomains, envelope, envelopePrefix } = query;
    assert.deepEqual(
      [destination, envelope, envelopePrefix],
      ['multidrop', 'X-Envelope-To', 'box-'],
    );
    assert.deepEqual(localDomains, ['example.org', 'example.net']);
  });

  it('may name who gets what is for nobody, and in whatever case', () => {
    const shared = 'poll p.example.com proto pop3 localdomains x.example user a pass x to * here';
    assert.deepEqual(understood(shared).users, []);
    assert.deepEqual(understood(`set postmaster "Hans" ${shared}`).users, ['hans']);
    const [one] = found(`set postmaster "hans@far.example" ${shared}`);
    assert.match(one?.reason ?? '', /option/);
    const own = 'poll p.example.com proto imap user a pass x is Alice here';
    assert.deepEqual(understood(own).users, ['alice']);
  });

  it('names folders as they are on the wire, and the query as people read them', () => {
    const own = (folders: string) =>
      `poll p.example.com proto imap user a pass x is alice here folder ${folders}`;
    assert.deepEqual(understood(own('"Entw&APw-rfe" "R&-D"')).folders, ['Entwürfe', 'R&D']);
    assert.deepEqual(understood(own('INBOX')).folders, []);
    for (const broken of ['R&D', '&APw', '&A-']) {
      assert.match(found(own(broken))[0]?.reason ?? '', /option/, broken);
    }
  });

  const refused: readonly (readonly [options: string, reason: RegExp])[] = [
    ['is alice here mda "/bin/sh -c x"', /command/],
    ['is alice here preconnect "ssh x"', /command/],
    ['is alice here postconnect "x"', /command/],
    ['is alice here bsmtp "/tmp/x"', /command/],
    ['is alice bob here', /mapping/],
    ['is x=alice here', /mapping/],
    ['is alice here smtphost mail.elsewhere.example', /smtphost/],
    ['is alice here flush', /option/],
    ['is alice here ssl sslcert "/x" sslkey "/y"', /option/],
    ['to * here', /noDomains/],
    ['', /nobody/],
    ['is alice here keep fetchall', /keepFetchAll/],
  ];
  for (const [options, reason] of refused) {
    it(`is refused where it says "${options}", and the password goes nowhere`, () => {
      const [one] = found(`poll p.example.com proto imap user a pass secret ${options}`);
      assert.equal(one?.query, null);
      assert.match(one?.reason ?? '', reason);
      assert.equal(JSON.stringify(one).includes('secret'), false);
    });
  }

  it('with a plugin is refused', () => {
    const [one] = found('poll p.example.com proto imap plugin "x" user a pass y is alice here');
    assert.match(one?.reason ?? '', /command/);
  });

  it('gives back every printable password, or says that it cannot be read', () => {
    const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(text, (password) => {
        const word = Array.from(
          Buffer.from(password),
          (byte) => `\\x${byte.toString(16).padStart(2, '0')}`,
        ).join('');
        const [one] = found(`poll p.example.com proto imap user a pass "${word}" is alice here`);
        if (/^[\x20-\x7e]*$/.test(password)) assert.equal(one?.password, password);
        else assert.match(one?.reason ?? '', /unreadable|control/);
      }),
      { numRuns: 40 },
    );
  });
});

describe('a configuration dump', () => {
  // The character after \0x is whatever fetchmail's memory holds there; none when that is a NUL.
  for (const [stray, rest] of [
    ['a quote', '"4'],
    ['a backslash', '\\4'],
    ['a line break', '\n4'],
    ['the end', ''],
  ] as const) {
    it(`is understood when ${stray} stands in for half a byte`, () => {
      const dumped = parseConfigDump(`fetchmailrc = {"password":"a\\0x${rest}","next":["b"]}`);
      assert.deepEqual(dumped, { password: `a${UNREADABLE}`, next: ['b'] });
    });
  }
});

describe('what is no configuration dump', () => {
  for (const text of [
    '',
    'fetchmailrc = ',
    'fetchmailrc = [1]',
    'fetchmailrc = {"a":',
    "fetchmailrc = {'a': import}",
  ]) {
    it(`is not guessed at: ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseConfigDump(text), SyntaxError);
    });
  }
});
