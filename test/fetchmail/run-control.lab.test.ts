/** What is written for fetchmail, as fetchmail itself reads it (`fetchmail --configdump`). */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { encodeMailboxName } from '../../lib/fetchmail/mailbox-name.js';
import { quoteWord, renderRunControl } from '../../lib/fetchmail/run-control.js';
import { PROTOCOLS, SSL_KINDS, type FetchQuery } from '../../lib/fetchmail/schema.js';
import { readPeople, readWord } from '../../lib/fetcher/run-control-words.js';
import { someQuery } from '../support/queries.js';

const folder = mkdtempSync(join(tmpdir(), 'mailserver-rc-'));
const file = join(folder, 'rc');
const render = (query: FetchQuery, password = 'secret'): string =>
  renderRunControl(query, {
    password,
    home: 'home.example',
    isLocal: (domain) => domain === 'local.example',
  });

/** Null when fetchmail refuses the file. */
function dumped(text: string): string | null {
  writeFileSync(file, text, { mode: 0o600 });
  const answer = spawnSync('/usr/bin/fetchmail', ['-f', file, '--configdump'], {
    encoding: 'latin1',
    env: { HOME: folder, PATH: '/usr/bin', LC_ALL: 'C' },
  });
  return answer.status === 0 && !/error/i.test(answer.stderr) ? answer.stdout : null;
}

function valueOf(dump: string, name: string): string {
  return new RegExp(`["']${name}["']:(.*?),?$`, 'm').exec(dump)?.[1]?.trim() ?? 'absent';
}

describe('the run control file of a query', () => {
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('is understood by the installed fetchmail for every protocol it offers, with every option', () => {
    for (const protocol of PROTOCOLS.filter((one) => one !== 'kpop')) {
      const mailbox = !['etrn', 'odmr'].includes(protocol);
      for (const ssl of mailbox ? SSL_KINDS : (['none'] as const)) {
        const query = someQuery({
          ...{
            protocol,
            ssl,
            keep: true,
            sizeLimit: 1.5,
            fetchLimit: 5,
            batchLimit: 3,
            expunge: 2,
          },
          ...{ dropDelivered: true, destination: 'multidrop', users: [], envelope: 'X-To' },
          ...{ localDomains: ['local.example', 'other.example'], envelopePrefix: 'mbox-user-' },
          ...(protocol === 'imap' ? { folders: ['INBOX', 'Entwürfe', 'a "b", \\c'] } : {}),
        });
        assert.notEqual(dumped(render(query)), null, `${protocol} ${ssl}`);
      }
    }
  });

  it('names no command, no file and no other user, whatever the settings', () => {
    const dump = dumped(render(someQuery({ keep: true }))) ?? assert.fail('not understood');
    const never = ['mda', 'bsmtp', 'preconnect', 'postconnect', 'plugin', 'plugout', 'properties'];
    for (const name of [...never, 'sslkey', 'sslcert', 'interface', 'logfile']) {
      assert.equal(valueOf(dump, name), 'None', name);
    }
    assert.equal(valueOf(dump, 'idle'), 'FALSE');
    assert.equal(valueOf(dump, 'softbounce'), 'TRUE');
    assert.equal(valueOf(dump, 'bouncemail'), 'FALSE');
    assert.equal(valueOf(dump, 'spambounce'), 'FALSE');
    assert.equal(valueOf(dump, 'postmaster'), '"fetchmail-7@fetchmail.invalid"');
  });

  it('writes for POP3 only what POP3 knows, and remembers there what was seen', () => {
    const text = render(someQuery({ protocol: 'pop3' }));
    assert.doesNotMatch(text, /idle|folder/);
    assert.match(text, /\buidl\b/);
  });

  it('is the same after a query was renamed: what was seen stays known', () => {
    assert.equal(render(someQuery({ name: 'x', sameServer: false })), render(someQuery()));
  });

  it('never ends a word, whatever is in it: fetchmail has exactly one server and one user then', () => {
    const text = fc
      .string({ unit: 'binary', maxLength: 40 })
      .filter((one) => !/[\0\r\n]/.test(one));
    fc.assert(
      fc.property(text, text, (remoteUser, password) => {
        const dump = dumped(render(someQuery({ remoteUser }), password));
        if (dump === null) assert.fail('not understood');
        assert.equal(dump.match(/"pollname"/g)?.length, 1);
        assert.equal(dump.match(/"remote"/g)?.length, 1);
        assert.equal(valueOf(dump, 'mda'), 'None');
      }),
      { numRuns: 60 },
    );
  });

  it('gives every printable ASCII text back as it was', () => {
    const text = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(text, (password) => {
        const rc = render(someQuery(), password);
        assert.equal(readWord(rc, 'password'), password);
        const dump = dumped(rc) ?? assert.fail('not understood');
        const shown = valueOf(dump, 'password').slice(1, -1);
        const plain = shown.replace(/\\(x[0-9a-f]{2}|.)/g, (_, sign: string) =>
          sign.length === 3 ? String.fromCharCode(parseInt(sign.slice(1), 16)) : sign,
        );
        assert.equal(plain, password);
      }),
      { numRuns: 60 },
    );
  });

  it('says who gets it as long as all of them are here, and to fetchmail that is a remark', () => {
    const people = (query: Partial<FetchQuery>) => readPeople(render(someQuery(query)));
    const users = ['alice', 'jürgen'];
    assert.deepEqual(people({ users }), ['alice@home.example', 'jürgen@home.example']);
    const elsewhere = { destination: 'address', users: [] } as const;
    assert.deepEqual(people({ ...elsewhere, address: 'a@local.example' }), ['a@local.example']);
    assert.deepEqual(people({ ...elsewhere, address: 'a@far.example' }), []);
    assert.notEqual(dumped(render(someQuery({ users }))), null);
  });

  it('cannot hold what would be a second command', () => {
    for (const text of ['a\nb', 'a\rb', 'a\0b']) assert.throws(() => quoteWord(text), RangeError);
  });

  it('knows folders by their names on the wire', () => {
    // RFC 3501 5.1.3 gives the second one.
    assert.equal(encodeMailboxName('Entwürfe & Co'), 'Entw&APw-rfe &- Co');
    assert.equal(encodeMailboxName('~peter/mail/台北/日本語'), '~peter/mail/&U,BTFw-/&ZeVnLIqe-');
  });

  it('is read by this fetchmail at all', () => {
    assert.match(
      execFileSync('/usr/bin/fetchmail', ['--version'], { encoding: 'utf8' }),
      /fetchmail/,
    );
  });
});
