import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { csvHead, csvLine, decodeText, readRows, separatorOf } from '../../lib/aliases/csv.js';
import type { AliasValues } from '../../lib/aliases/store.js';

const rows = (text: string) => [...readRows([text])];
const names = (text: string): readonly string[] =>
  rows(text).map((row) => ('values' in row ? row.values.name : `wrong: ${row.fault.reason}`));

describe('a file with aliases', () => {
  it('is read with its columns in any order, divided by commas, semicolons or tabs', () => {
    for (const sign of [',', ';', '\t']) {
      const head = ['note', 'Enabled', 'NAME', 'targets', 'something else'].join(sign);
      const line = ['"two, three; four"', 'no', 'Sales', '"anna bob@example.net"', 'x'].join(sign);
      assert.deepEqual(rows(`${head}\r\n${line}\n`), [
        {
          line: 2,
          values: {
            name: 'sales',
            targets: ['anna', 'bob@example.net'],
            note: 'two, three; four',
            enabled: false,
          },
          without: [],
        },
      ]);
    }
  });

  it('needs no line of names, and takes aliases for switched on', () => {
    const [row] = rows('sales,anna');
    assert.deepEqual(row, {
      line: 1,
      values: { name: 'sales', targets: ['anna'], note: '', enabled: true },
      without: ['note', 'enabled'],
    });
  });

  it('is read as people write it in other languages, and after a line that names the separator', () => {
    const files = [
      'Nom;Cibles;Actif\na;anna;non',
      'Naam;Doelen;Actief\na;anna;nee',
      'sep=;\na;anna;;faux',
    ];
    for (const file of files) {
      const [row, ...others] = rows(file);
      assert.deepEqual(others, []);
      assert.deepEqual(
        row && 'values' in row ? row.values : row,
        { name: 'a', targets: ['anna'], note: '', enabled: false },
        file,
      );
    }
  });

  it('tells the line of a fault, also after a field of several lines', () => {
    const text = 'name,targets,note\none,anna,"a\nb"\n\ntwo,|/bin/sh\nthree,anna,,perhaps\n';
    assert.deepEqual(
      rows(text).map((row) => [row.line, 'fault' in row ? row.fault.reason : '']),
      [
        [2, 'note'],
        [5, 'target'],
        [6, ''],
      ],
    );
    const [named] = rows('name,enabled,targets\nthree,perhaps,anna');
    assert.ok(named && 'fault' in named);
    assert.equal(named.fault.reason, 'enabled');
  });

  const hostile: readonly (readonly [text: string, reason: string])[] = [
    [',anna', 'noName'],
    ['|/bin/sh,anna', 'name'],
    [':include:/etc/shadow,anna', 'name'],
    ['"a\nroot",anna', 'name'],
    ['a\u0000b,anna', 'name'],
    ['sales,/etc/passwd', 'target'],
    ['sales,"anna\u0000"', 'target'],
    ['sales,', 'noTarget'],
    ['sales,anna,"x\ny"', 'note'],
    [`sales,anna,${'n'.repeat(201)}`, 'noteLength'],
    [`sales,"${Array.from({ length: 501 }, (_, n) => `u${n}`).join(' ')}"`, 'tooMany'],
    ['sales,"anna', 'cut'],
    ['sales,anna,"Sales, since', 'cut'],
    [`${'x'.repeat(1_000_000)},anna`, 'name'],
  ];
  for (const [text, reason] of hostile) {
    it(`is told what is wrong with ${JSON.stringify(text.slice(0, 40))}`, () => {
      const [row] = rows(text);
      assert.equal(row && 'fault' in row ? row.fault.reason : '', reason);
    });
  }

  it('is read as UTF-8, with and without its mark, as UTF-16 and as Windows-1252', () => {
    const text = 'name,targets\nmüller,jürgen\n';
    const marked = Buffer.from(`\ufeff${text}`, 'utf16le');
    const swapped = Buffer.from(marked).swap16();
    for (const bytes of [
      Buffer.from(text),
      Buffer.from(`\ufeff${text}`),
      marked,
      swapped,
      Buffer.from(text, 'latin1'),
    ]) {
      assert.deepEqual(names([...decodeText(bytes)].join('')), ['müller']);
    }
  });

  it('says by its first line what divides it, whatever stands in quotes', () => {
    assert.equal(separatorOf('"a;b;c;d",e\n1;2;3;4'), ',');
    assert.equal(separatorOf('a;"b,c,d,e";f'), ';');
    assert.equal(separatorOf(''), ',');
  });
});

describe('an export', () => {
  const made = fc.record({
    name: fc.constantFrom('sales', '@example.com', '+x', 'müller', 'a@xn--bcher-kva.example'),
    targets: fc.constantFrom<readonly string[]>(['anna'], ['anna', 'Bob@example.net', '+x']),
    note: fc.string({ unit: 'grapheme', maxLength: 40 }).map((text) =>
      text
        .normalize('NFC')
        .replace(/[\p{Cc}\p{Cs}\u2028\u2029\ufffd]/gu, '')
        .trim(),
    ),
    enabled: fc.boolean(),
  });
  const values: fc.Arbitrary<AliasValues> = made.map((one) => ({ ...one }));

  it('is read the same wherever its text is divided, within a line end, quotes and letters too', () => {
    const lines = [
      'name,targets,note',
      '"a""b",anna',
      'sales,"anna\r\nbob","x ""y"" z"',
      'ü,anna',
      '',
    ];
    const bytes = Buffer.from(`${lines.join('\r\n')}last,"anna`);
    const whole = rows(bytes.toString());
    assert.equal(whole.length, 4);
    for (let size = 1; size < bytes.length; size += 1) {
      const decoder = new TextDecoder();
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) =>
        decoder.decode(bytes.subarray(n * size, (n + 1) * size), { stream: true }),
      );
      const head = pieces.findIndex((_, n) =>
        pieces
          .slice(0, n + 1)
          .join('')
          .includes('note'),
      );
      const text = [pieces.slice(0, head + 1).join(''), ...pieces.slice(head + 1)];
      assert.deepEqual([...readRows(text)], whole, `in pieces of ${size} bytes`);
    }
  });

  it('is read back as it was', () => {
    fc.assert(
      fc.property(fc.array(values), fc.constantFrom<',' | ';'>(',', ';'), (aliases, separator) => {
        const text = csvHead(separator) + aliases.map((one) => csvLine(one, separator)).join('');
        assert.deepEqual(
          rows(text).map((row) => ('values' in row ? row.values : row)),
          aliases,
        );
      }),
      { numRuns: 500 },
    );
  });

  it('holds nothing that a spreadsheet takes for a formula', () => {
    for (const note of ['=1+1', '+1', '-1', '@SUM(A1)', "'=1", "''=1"]) {
      const alias = { name: '@example.com', targets: ['+x'], note, enabled: true };
      const line = csvLine(alias, ',');
      for (const field of line.trim().split(',')) assert.doesNotMatch(field, /^"?[=+\-@]/);
      const [row] = rows(csvHead(',') + line);
      assert.deepEqual(row && 'values' in row ? row.values : row, alias);
    }
  });
});
