import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import PostalMime from 'postal-mime';
import { messageIdOf } from '../../lib/bulk/schema.js';
import { createMessageWriter, messageBytes, type MailingContent } from '../../lib/bulk/mime.js';

const content: MailingContent = {
  key: '0123456789abcdef0123',
  secret: 'fedcba98765432100000',
  from: 'info@example.com',
  fromName: 'Büro, "Zentrale" <x@evil.example>',
  subject: 'Grüße an {name} – Wartung am Freitag um sechs Uhr, und noch einiges mehr dazu',
  body: 'Hallo {name},\n.\n..\nFrom here = 100 %\n\ttab \nend',
  formatted: true,
  attachments: [
    {
      name: 'Übersicht "2026"; x.pdf',
      type: 'application/pdf',
      bytes: Buffer.from([0, 255, 10, 13, 46]),
    },
    { name: 'plain.txt', type: 'bad type\r\nX-Evil: 1', bytes: Buffer.from('\r\n.\r\n') },
  ],
};
const erika = { name: 'Erika Müller', login: 'erika', address: 'erika@example.com' };

const write = (changes: Partial<MailingContent> = {}, to = erika): Buffer =>
  Buffer.concat(createMessageWriter({ ...content, ...changes }).write(to, 7, new Date()));

describe('a message of a mailing', () => {
  it('is read as it was written, files and umlauts too', async () => {
    const mail = await PostalMime.parse(write());
    assert.deepEqual(mail.from, { name: content.fromName, address: 'info@example.com' });
    assert.deepEqual(mail.to, [{ name: erika.name, address: erika.address }]);
    assert.equal(mail.subject, content.subject.replace('{name}', erika.name));
    assert.equal(mail.messageId, `<${messageIdOf(content, 7, 'example.com')}>`);
    assert.equal(mail.text?.trimEnd(), content.body.replace('{name}', erika.name));
    assert.match(mail.html ?? '', /<p>Hallo Erika Müller,<br>/);
    assert.deepEqual(
      mail.attachments.map(({ filename, mimeType }) => [filename, mimeType]),
      [
        ['Übersicht "2026"; x.pdf', 'application/pdf'],
        ['plain.txt', 'application/octet-stream'],
      ],
    );
    const files = mail.attachments.map((one) => Buffer.from(one.content as ArrayBuffer));
    assert.deepEqual(
      files,
      content.attachments.map(({ bytes }) => bytes),
    );
  });

  it('says that a machine sent it to many, and pretends nothing', async () => {
    const { headers, date, bcc, cc } = await PostalMime.parse(write());
    const named = new Map(headers.map(({ key, value }) => [key, value]));
    assert.equal(named.get('auto-submitted'), 'auto-generated');
    assert.equal(named.get('precedence'), 'bulk');
    assert.equal(named.has('list-unsubscribe'), false);
    assert.ok(date !== undefined && Math.abs(Date.now() - new Date(date).getTime()) < 60_000);
    assert.deepEqual([bcc, cc], [undefined, undefined]);
  });

  it('is plain text alone when it has no formatting', async () => {
    const mail = await PostalMime.parse(write({ formatted: false, attachments: [] }));
    assert.equal(mail.html, undefined);
    assert.equal(mail.text?.trimEnd(), content.body.replace('{name}', erika.name));
  });

  it('has the same headers and parts whatever is filled in, and lines that every server takes', async () => {
    const anything = fc.string({ unit: 'binary', maxLength: 120 });
    await fc.assert(
      fc.asyncProperty(
        anything,
        anything,
        anything,
        fc.boolean(),
        async (name, subject, body, formatted) => {
          const raw = write({ fromName: name, subject, body, formatted }, { ...erika, name });
          const text = raw.toString('latin1');
          assert.ok(!/\r(?!\n)|(?<!\r)\n|\0/.test(text), 'CRLF and nothing else');
          assert.ok(!/^\.|\r\n\./.test(text), 'no line begins with a dot');
          assert.ok(text.split('\r\n').every((line) => line.length <= 998));
          const head = text.slice(0, text.indexOf('\r\n\r\n'));
          const names = [...head.matchAll(/(?:^|\r\n)([^\s:]+):/g)].map(([, header]) => header);
          assert.deepEqual(names, [
            ...['Date', 'From', 'To', 'Message-ID', 'Subject', 'Auto-Submitted', 'Precedence'],
            ...['MIME-Version', 'Content-Type'],
          ]);
          const mail = await PostalMime.parse(raw);
          assert.deepEqual(
            mail.to?.map(({ address }) => address),
            [erika.address],
          );
          assert.equal(mail.from?.address, 'info@example.com');
          assert.equal(mail.attachments.length, 2);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('is as large as was said before', () => {
    const length = write().length;
    const told = messageBytes(content);
    assert.ok(told >= length && told < length + 2_000, `${told} for ${length}`);
  });
});
