/** Which header names the recipient, by what providers set. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fieldsOf, recipientHeaders } from '../../lib/fetchmail/recipient-headers.js';

const domains = ['example.org'];
const header = (...lines: string[]): string =>
  ['From: x@elsewhere.example', 'To: team@example.org', ...lines, 'Subject: bob@example.org'].join(
    '\n',
  );
const seen = (...headers: string[]) =>
  recipientHeaders(headers, domains).map(({ name, messages, prefix }) => [name, messages, prefix]);

describe('the header that names the recipient', () => {
  it('is the one in most messages, and of two the more telling one', () => {
    assert.deepEqual(
      seen(
        header('Delivered-To: bob@example.org', 'X-Envelope-To: bob@example.org'),
        header('Delivered-To: eve@example.org', 'X-Envelope-To: eve@example.org'),
        header('X-Extra: eve@example.org'),
      ),
      [
        ['X-Envelope-To', 2, ''],
        ['Delivered-To', 2, ''],
        ['X-Extra', 1, ''],
      ],
    );
  });
  it('is none that names writers, readers or lists, and none that names other domains', () => {
    assert.deepEqual(
      seen(
        header('Cc: bob@example.org', 'List-Id: <a@example.org>', 'X-Original-To: b@other.example'),
      ),
      [],
    );
  });
  it('may name whom a hostile mail likes: a dash in front, a field without an end', () => {
    const dash = header('Delivered-To: -bob@example.org, eve@example.org');
    assert.deepEqual(seen(dash), [['Delivered-To', 1, '']]);
    const long = header(`Delivered-To: bob@example.org, ${'x'.repeat(60_000)}`);
    assert.deepEqual(seen(long), [['Delivered-To', 1, '']]);
  });
  it('has a prefix where all of several addresses have it', () => {
    assert.deepEqual(
      seen(
        header('Delivered-To: m-12-bob@example.org'),
        header('Delivered-To: m-12-eve@example.org'),
      ),
      [['Delivered-To', 2, 'm-12-']],
    );
    assert.deepEqual(
      seen(header('Delivered-To: ann-marie@example.org'), header('Delivered-To: bob@example.org')),
      [['Delivered-To', 2, '']],
    );
    assert.deepEqual(seen(header('Delivered-To: m-bob@example.org')), [['Delivered-To', 1, '']]);
  });
  it('is read though it goes over several lines, and whatever else stands there', () => {
    assert.deepEqual(fieldsOf('X-To:\r\n\t<bob@example.org>\r\nno header\r\n: x\r\nÄ: y'), [
      { name: 'X-To', value: '<bob@example.org>' },
    ]);
    const hostile = 'X-Envelope-To: <script>alert(1)</script>@example.org';
    assert.deepEqual(recipientHeaders([hostile], domains), []);
  });
});
