/** The search of the mail log, on logs that the test writes: places, times, packed files, hostile lines, limits. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { pathsBelow } from '../../lib/privileged/paths.js';
import { LogFiles, type LogFilesOptions } from '../../lib/privileged/trace/log-files.js';
import { searchLog, type SearchParts } from '../../lib/privileged/trace/search.js';
import { ANYTHING } from '../../lib/trace/query.js';
import type { FoundMessage, SearchEnd, Wanted } from '../../lib/trace/schema.js';

const NOW = new Date(2026, 10, 28, 12, 0, 0).getTime() / 1000;

describe('the search of the mail log', () => {
  let root = '';
  let log = '';

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'mailserver-log-'));
    log = `${root}/var/log/mail.log`;
    await mkdir(`${root}/var/log`, { recursive: true });
    await mkdir(pathsBelow(root).stateDir, { recursive: true });
  });
  afterEach(() => rm(root, { recursive: true }));

  /** A file of the log with the time of its last change, in seconds before now. */
  const write = async (name: string, content: string | Buffer, age = 0): Promise<void> => {
    const file = `${root}/var/log/${name}`;
    await writeFile(file, content);
    await utimes(file, NOW - age, NOW - age);
  };
  const find = async (
    wanted: Partial<Wanted>,
    more: Partial<SearchParts> = {},
    options: LogFilesOptions = {},
  ): Promise<{ found: FoundMessage[]; end: SearchEnd }> => {
    const files = await LogFiles.find(pathsBelow(root), '', options);
    const found: FoundMessage[] = [];
    try {
      const end = await searchLog({
        files,
        wanted: { ...ANYTHING, ...wanted },
        signal: new AbortController().signal,
        onFound: (message) => Promise.resolve(void found.push(message)),
        onProgress: () => undefined,
        ...more,
      });
      return { found, end };
    } finally {
      await files.close();
    }
  };
  const idsOf = (found: readonly FoundMessage[]): string[] => found.map(({ ids }) => ids.join(' '));

  it('finds the whole mail from one line of it, the newest mail first', async () => {
    await write('mail.log', mail('AAAAAA1', 'anna@acme.example', 'bob@box.test') + mail('AAAAAA2'));
    const { found, end } = await find({ recipient: 'BOB@box' });
    assert.deepEqual(idsOf(found), ['AAAAAA2', 'AAAAAA1']);
    assert.equal(found[1]?.lines.length, 5);
    assert.equal(end.limit, null);
    assert.deepEqual(idsOf((await find({ sender: 'anna' })).found), ['AAAAAA1']);
    assert.deepEqual(idsOf((await find({ sender: 'anna', recipient: 'carol' })).found), []);
    assert.deepEqual(idsOf((await find({ messageId: 'm.AAAAAA2@' })).found), ['AAAAAA2']);
  });

  it('finds an address with an umlaut by the way people write it, and by a part of it', async () => {
    await write('mail.log', mail('AAAAAA1', 'anna@xn--mller-shne-kcb9d.example') + mail('AAAAAA2'));
    for (const sender of ['anna@Müller-Söhne.example', '@müller', 'xn--mller-shne'])
      assert.deepEqual(idsOf((await find({ sender })).found), ['AAAAAA1'], sender);
    assert.deepEqual(idsOf((await find({ sender: '@müllex' })).found), []);
  });

  it('does not depend on where its blocks end', async () => {
    const many = Array.from({ length: 9_000 }, (_, at) =>
      mail(`B${hex(at)}`, `s${at}@acme.example`),
    );
    await write('mail.log', many.join(''));
    for (const at of [0, 1, 4_499, 8_998, 8_999]) {
      const { found } = await find({ sender: `s${at}@acme.example` });
      assert.deepEqual(idsOf(found), [`B${hex(at)}`]);
      assert.equal(found[0]?.lines.length, 5);
      assert.equal(found[0]?.headless, false);
    }
  });

  it('follows a mail over rotated and packed logs', async () => {
    const [birth = '', id = '', queued = '', sent = '', removed = ''] =
      mail('CCCCCC1').split(/(?<=\n)/);
    await write('mail.log', sent + removed);
    await write('mail.log.1', queued, 3_600);
    await write('mail.log.2.gz', gzipSync(mail('DDDDDD1') + birth + id), 7_200);
    const { found } = await find({ recipient: 'bob' });
    assert.deepEqual(idsOf(found), ['CCCCCC1', 'DDDDDD1']);
    assert.equal(found[0]?.lines.length, 5);
  });

  it('reads what xz and zstd packed where they are there, and tells what it cannot read', async () => {
    await write('mail.log', mail('AAAAAA1'));
    await write('mail.log.1.gz', 'no gzip at all', 60);
    const tools = ['xz', 'zstd', 'bzip2'].filter((tool) => existsSync(`/usr/bin/${tool}`));
    for (const [at, tool] of tools.entries()) {
      const end = { xz: 'xz', zstd: 'zst', bzip2: 'bz2' }[tool] ?? '';
      const packed = execFileSync(`/usr/bin/${tool}`, ['-c'], { input: mail(`EEEEEE${at}`) });
      await write(`mail.log.${at + 2}.${end}`, packed, 120 + at);
    }
    const { found, end } = await find({ recipient: 'bob' });
    assert.equal(found.length, 1 + tools.length);
    assert.deepEqual(end.unreadable, ['mail.log.1.gz']);
  });

  it('says when there was no room to unpack', async () => {
    await write('mail.log', mail('AAAAAA1'));
    await write('mail.log.1.gz', gzipSync(mail('BBBBBB1')), 60);
    const { found, end } = await find({ recipient: 'bob' }, {}, { maxUnpackedBytes: 10 });
    assert.deepEqual(idsOf(found), ['AAAAAA1']);
    assert.equal(end.limit, 'unpacked');
  });

  it('follows no link beside the log', async () => {
    await writeFile(`${root}/secret`, mail('AAAAAA9'));
    await symlink(`${root}/secret`, `${root}/var/log/mail.log.1`);
    await write('mail.log', mail('AAAAAA1'));
    assert.deepEqual(idsOf((await find({ recipient: 'bob' })).found), ['AAAAAA1']);
  });

  it('infers the year: of a line in December that was written before New Year', async () => {
    const newYear = new Date(2026, 0, 2, 3, 0, 0).getTime() / 1000;
    await write(
      'mail.log',
      line('Dec 31 23:59:58', 'qmgr', 'AAAAAA1: removed') +
        mail('AAAAAA2', '', '', 'Jan  2 02:59:58'),
    );
    await utimes(log, newYear, newYear);
    const { found } = await find({ id: 'AAAAAA1' });
    assert.equal(found[0]?.lines[0]?.at, new Date(2025, 11, 31, 23, 59, 58).getTime() / 1000);
    const { found: other } = await find({ id: 'AAAAAA2' });
    assert.equal(other[0]?.lines[0]?.at, new Date(2026, 0, 2, 2, 59, 58).getTime() / 1000);
  });

  it('reads times with a zone, and keeps to a time span', async () => {
    await write(
      'mail.log',
      mail('AAAAAA1', '', '', '2026-11-28T08:00:00.123456+00:00') +
        mail('AAAAAA2', '', '', '2026-11-28T12:00:00+02:00') +
        mail('AAAAAA3', '', '', '2026-11-28T11:30:00.5Z'),
    );
    const at = (hour: number): number => Date.UTC(2026, 10, 28, hour) / 1000;
    const within = async (since: number, until: number): Promise<string[]> =>
      idsOf((await find({ since, until })).found);
    assert.deepEqual(await within(0, 0), ['AAAAAA3', 'AAAAAA2', 'AAAAAA1']);
    assert.deepEqual(await within(at(9), at(11)), ['AAAAAA2']);
    assert.deepEqual(await within(0, at(10)), ['AAAAAA2', 'AAAAAA1']);
    assert.deepEqual(await within(at(10) + 1, 0), ['AAAAAA3']);
  });

  it('keeps two mails apart that had the same short id one after the other', async () => {
    await write(
      'mail.log',
      mail('AAAAAA1', 'first@acme.example') + mail('AAAAAA1', 'second@acme.example'),
    );
    const { found } = await find({ id: 'AAAAAA1' });
    assert.equal(found.length, 2);
    assert.match(found[0]?.lines[2]?.text ?? '', /second@/);
    assert.match(found[1]?.lines[2]?.text ?? '', /first@/);
  });

  it('says that the beginning of a mail is gone', async () => {
    await write(
      'mail.log',
      mail('AAAAAA1')
        .split(/(?<=\n)/)
        .slice(2)
        .join(''),
    );
    assert.equal((await find({ id: 'AAAAAA1' })).found[0]?.headless, true);
  });

  it('takes hostile lines for what they are: text', async () => {
    const evil = [
      line(STAMP, 'smtpd', 'AAAAAA1: client=evil[203.0.113.9]'),
      line(STAMP, 'cleanup', 'AAAAAA1: message-id=<x> BBBBBB1: to=<bob@box.test>'),
      line(
        STAMP,
        'cleanup',
        `AAAAAA1: warning: header Subject: ${'\u001b[31m'} Dec 31 to=<bob@box.test>`,
      ),
      line(
        STAMP,
        'smtp',
        'AAAAAA1: to=<x@y.example>, relay=mx[203.0.113.9]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok queued as BBBBBB1)',
      ),
      'no line at all AAAAAA1',
      `${'x'.repeat(300_000)} AAAAAA1: removed\n`,
    ].join('');
    await write('mail.log', mail('BBBBBB1') + evil);
    const { found } = await find({ id: 'AAAAAA1' });
    assert.deepEqual(idsOf(found), ['AAAAAA1'], 'another server cannot draw in a mail of ours');
    assert.deepEqual(idsOf((await find({ recipient: 'bob@box.test' })).found), [
      'AAAAAA1',
      'BBBBBB1',
    ]);
  });

  it('ends at its limits and says which', async () => {
    await write('mail.log', Array.from({ length: 20 }, (_, at) => mail(`F${hex(at)}`)).join(''));
    const rows = await find({ recipient: 'bob' }, { maxFound: 3 });
    assert.deepEqual([rows.found.length, rows.end.limit], [3, 'rows']);
    let now = 0;
    const time = await find({ recipient: 'bob' }, { now: () => (now += 30_000) });
    assert.equal(time.end.limit, 'time');
    const stopped = await find({ recipient: 'bob' }, { signal: AbortSignal.abort() });
    assert.equal(stopped.end.limit, 'cancelled');
    assert.deepEqual((await find({ recipient: 'nobody' })).found, []);
  });

  it('says how far back it looked, also when its limit lies in the first block', async () => {
    const again = (stamp: string): string =>
      line(stamp, 'qmgr', 'AAAAAA1: from=<a@acme.example>, size=300, nrcpt=1 (queue active)');
    await write(
      'mail.log',
      line('Nov 25 09:00:00', 'smtpd', 'AAAAAA1: client=mx.example[192.0.2.1]') +
        again('Nov 25 09:00:01') +
        mail('BBBBBB1', '', '', 'Nov 27 09:00:00') +
        again('Nov 28 09:00:00'),
    );
    const { found, end } = await find({}, { maxFound: 1 });
    assert.deepEqual(idsOf(found), ['AAAAAA1']);
    assert.equal(end.limit, 'rows');
    assert.equal(end.reached, new Date(2026, 10, 28, 9, 0, 0).getTime() / 1000);
  });

  it('finds refusals, each line by itself', async () => {
    const refused = (reply: string): string =>
      line(
        STAMP,
        'smtpd',
        `NOQUEUE: reject: RCPT from x.example[203.0.113.9]: ${reply}; from=<s@x.example> to=<bob@box.test> proto=ESMTP helo=<x>`,
      );
    await write(
      'mail.log',
      mail('AAAAAA1') +
        refused('450 4.2.0 <bob@box.test>: Recipient address rejected: Greylisted') +
        refused('454 4.7.1 <bob@box.test>: Relay access denied'),
    );
    const { found } = await find({ kind: 'refusals' });
    assert.equal(found.length, 2);
    assert.match(found[0]?.lines[0]?.text ?? '', /Relay access denied/);
    assert.equal((await find({ kind: 'refusals', text: '203.0.113.9' })).found.length, 2);
    assert.equal((await find({ kind: 'refusals', text: 'greylisted' })).found.length, 1);
    assert.equal((await find({ kind: 'refusals', text: 'AAAAAA1' })).found.length, 0);
  });

  it('reads the journal by days where there is no file', async () => {
    const fake = `${root}/journalctl`;
    const now = Math.floor(Date.now() / 1000);
    const iso = new Date(now * 1000 - 60_000).toISOString().replace('Z', '000+0000');
    await writeFile(`${root}/lines`, mail('AAAAAA1', '', '', iso));
    // Says when the journal begins, and gives the lines for the newest day.
    await writeFile(
      fake,
      `#!/bin/sh\ncase "$*" in *short-unix*) echo "${now - 90_000}.5 box x: y";; *--until=@${String(now).slice(0, 7)}*) cat ${root}/lines;; esac\n`,
    );
    await chmod(fake, 0o755);
    const { found, end } = await find({ recipient: 'bob' }, {}, { journalctl: fake });
    assert.equal(end.source, 'journal');
    assert.deepEqual(idsOf(found), ['AAAAAA1']);
  });

  it('says that there is no log', async () => {
    assert.equal((await find({ recipient: 'bob' })).end.source, 'none');
  });
});

const STAMP = 'Nov 28 10:00:00';

function hex(number: number): string {
  return number.toString(16).toUpperCase().padStart(6, '0');
}

function line(stamp: string, agent: string, text: string): string {
  return `${stamp} box postfix/${agent}[123]: ${text}\n`;
}

/** The five lines of a mail that went to a mailbox. */
function mail(id: string, from = '', to = '', stamp = STAMP): string {
  return [
    line(stamp, 'smtpd', `${id}: client=mx.example[192.0.2.1]`),
    line(stamp, 'cleanup', `${id}: message-id=<m.${id}@acme.example>`),
    line(
      stamp,
      'qmgr',
      `${id}: from=<${from || 'sender@acme.example'}>, size=300, nrcpt=1 (queue active)`,
    ),
    line(
      stamp,
      'local',
      `${id}: to=<${to || 'bob@box.test'}>, relay=local, delay=0.1, delays=0/0/0/0.1, dsn=2.0.0, status=sent (delivered to mailbox)`,
    ),
    line(stamp, 'qmgr', `${id}: removed`),
  ].join('');
}
