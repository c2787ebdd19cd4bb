import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readMessage, type ReadMessage } from '../../lib/queue/reading.js';
import { MAX_SHOWN_BYTES } from '../../lib/queue/schema.js';

const read = (content: string | Buffer, bytes?: number): Promise<ReadMessage> => {
  const whole = Buffer.from(content);
  const head = whole.subarray(0, MAX_SHOWN_BYTES).toString('base64');
  return readMessage({ head, bytes: bytes ?? whole.length, later: [] });
};

/** Everything of it that a page shows. */
const shown = (mail: ReadMessage): string =>
  [
    mail.subject,
    mail.text,
    ...mail.headers.flatMap(({ name, value }) => [name, value]),
    ...mail.attachments.flatMap(({ name, type }) => [name, type]),
  ].join('\n');

/** What moves a terminal's cursor, turns letters around or cannot be seen. */
// eslint-disable-next-line no-control-regex -- these are what must not get through
const HARMFUL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/;

const SEEDS = [
  'From: a@b.example\nSubject: =?utf-8?q?=C3=A4?=\n\nText\n',
  'Content-Type: multipart/mixed; boundary="x"\n\n--x\nContent-Type: text/plain\n\nT\n--x\nContent-Type: application/pdf; name="a.pdf"\nContent-Transfer-Encoding: base64\n\nAAAA\n--x--\n',
  'Content-Type: multipart/alternative; boundary=y\n\n--y\n\nplain\n--y\nContent-Type: text/html\n\n<p>hi<script>alert(1)</script></p>\n--y--\n',
  'Content-Type: message/rfc822\n\nSubject: inner\n\ninner\n',
  'Content-Type: text/plain; charset=iso-8859-15\nContent-Transfer-Encoding: quoted-printable\n\n=E4=\n=F6\n',
  `Content-Type: multipart/mixed; boundary="${'b'.repeat(200)}"\n\n--${'b'.repeat(200)}\n`,
];

describe('reading a queued message', () => {
  it('decodes headers, takes the text and lists attachments', async () => {
    const mail = await read(
      [
        'From: =?utf-8?q?J=C3=BCrgen?= <j@x.example>',
        'Subject: =?iso-8859-1?q?Gr=FC=DFe?=',
        'Content-Type: multipart/mixed; boundary=b',
        '',
        '--b',
        'Content-Type: text/plain; charset=utf-8',
        '',
        'Schöne Grüße',
        '--b',
        'Content-Type: application/pdf',
        "Content-Disposition: attachment; filename*=utf-8''Angebot%20M%C3%A4rz.pdf",
        'Content-Transfer-Encoding: base64',
        '',
        'QUJDRA==',
        '--b--',
        '',
      ].join('\n'),
    );
    assert.equal(mail.subject, 'Grüße');
    assert.equal(mail.headers[0]?.value, 'Jürgen <j@x.example>');
    assert.equal(mail.text.trim(), 'Schöne Grüße');
    assert.deepEqual(
      mail.attachments.map(({ name, type }) => [name, type]),
      [['Angebot März.pdf', 'application/pdf']],
    );
  });

  it('shows HTML as its text', async () => {
    const mail = await read(
      'Content-Type: text/html\n\n<h1>Hi</h1><script>x()</script><p>a &lt;b&gt;</p>',
    );
    assert.equal(mail.source, 'html');
    assert.equal(mail.text, 'Hi\n\na <b>');
  });

  it('names no attachment with a folder, an escape or letters turned around', async () => {
    for (const [name, expected] of [
      ['../../etc/passwd', 'passwd'],
      ['C:\\\\windows\\\\x.exe', 'x.exe'],
      ['..', '–'],
      ['a\u202etxt.exe', 'atxt.exe'],
      ['.bashrc', 'bashrc'],
    ] as const) {
      const mail = await read(
        `Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Disposition: attachment; filename="${name}"\n\nx\n--b--\n`,
      );
      assert.deepEqual(
        mail.attachments.map((attachment) => attachment.name),
        [expected],
        name,
      );
    }
  });

  it('lets no control character of a mail through', async () => {
    const mail = await read(
      'Subject: \x1b]0;owned\x07\x1b[2J\nX-\x1b[31mRed: \u009b31m\u202e\n\nBody \x1b[5m\x00\u200b\r\nend\n',
    );
    assert.doesNotMatch(shown(mail), HARMFUL);
    assert.match(mail.text, /end/);
  });

  it('stands 3,000 nested parts, a header of 1 MB and 100,000 headers', async () => {
    let nested = 'Subject: deep\n';
    for (let depth = 0; depth < 3_000; depth += 1) {
      nested += `Content-Type: multipart/mixed; boundary="b${depth}"\n\n--b${depth}\n`;
    }
    for (const content of [
      nested,
      `Subject: ${'x'.repeat(1_000_000)}\n\nt`,
      `${'A: b\n'.repeat(100_000)}\nt`,
    ]) {
      const mail = await read(content);
      assert.ok(shown(mail).length < 1_000_000);
    }
  });

  it('says that there is more than was read', async () => {
    assert.equal((await read(`Subject: x\n\n${'long '.repeat(80_000)}`)).cut, true);
    assert.equal((await read('Subject: x\n\nshort', 50_000_000)).cut, true);
    assert.equal((await read('Subject: x\n\nshort')).cut, false);
  });

  it('never fails on broken mail, and shows nothing harmful of it', async () => {
    const broken = fc
      .tuple(
        fc.constantFrom(...SEEDS),
        fc.array(fc.tuple(fc.nat(400), fc.nat(40), fc.uint8Array({ maxLength: 30 })), {
          minLength: 1,
          maxLength: 6,
        }),
      )
      .map(([seed, cuts]) =>
        cuts.reduce<Buffer>(
          (mail, [at, gone, put]) =>
            Buffer.concat([mail.subarray(0, at), Buffer.from(put), mail.subarray(at + gone)]),
          Buffer.from(seed),
        ),
      );
    await fc.assert(
      fc.asyncProperty(broken, async (content) => {
        assert.doesNotMatch(shown(await read(content)), HARMFUL);
      }),
      { numRuns: 300 },
    );
  });
});
