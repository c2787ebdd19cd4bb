import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  domainsSchema,
  isAsciiDomain,
  holdsPart,
  MAX_DOMAINS,
  toAsciiDomain,
  toUnicodeDomain,
  isMailDomain,
} from '../../lib/domains/schema.js';

describe('a domain as somebody types it', () => {
  it('becomes A-labels in lower case', () => {
    const typed: [string, string][] = [
      ['example.org', 'example.org'],
      ['Example.ORG.', 'example.org'],
      ['müller.example', 'xn--mller-kva.example'],
      ['MÜLLER.example', 'xn--mller-kva.example'],
      // The same letter in two code points.
      ['mu\u0308ller.example', 'xn--mller-kva.example'],
      ['XN--MLLER-KVA.example', 'xn--mller-kva.example'],
      // IDNA 2008 keeps the sharp s that IDNA 2003 wrote as ss.
      ['faß.example', 'xn--fa-hia.example'],
      ['ｅｘａｍｐｌｅ.org', 'example.org'],
      ['عربي.example', 'xn--ngbrx4e.example'],
      ['localhost', 'localhost'],
      // One-letter labels are real: x.org, q.com.
      ['x.org', 'x.org'],
      ['a.b.c', 'a.b.c'],
      ['4.example', '4.example'],
      ['4ever.example', '4ever.example'],
      ['xn--ls8h.example', 'xn--ls8h.example'],
    ];
    for (const [text, ascii] of typed) assert.equal(toAsciiDomain(text), ascii, text);
  });

  it('is refused when it is something else', () => {
    const bad = [
      ...['', '.', '..', 'a..b', '.a', 'a..', ' a', 'a ', 'a b', 'a\tb', 'a\nb', 'a\0'],
      ...['-a.example', 'a-.example', 'a_b.example', '*.example', 'a,b', 'a;b', '$x', '`a`'],
      ...['a@b.example', 'http://a.example', 'a.example/x', 'a.example:25', 'a.example?x', 'a#b'],
      ...['foo%2fbar', 'a\\b', '"a"', "a'b", '{a}', 'a=b', 'lmdb:x', '!a.example'],
      // Addresses, whatever their disguise: domainToASCII makes all of them 127.0.0.1 or the like.
      ...['127.0.0.1', '127.1', '2130706433', '0x7f000001', '0x7f.1', '010.0.0.1', '1.2.3.4.'],
      ...['１２７.0.0.1', '１２７.０.０.１', '①②⑦.0.0.1', '[::1]', '::1', 'a.1', 'a.0x1f', 'a.１'],
      // Separators and letters that only look like something else.
      ...['a。b', 'a．b', 'a․b', 'example。org', '℀.example', 'ⓔ.example', 'a\u00adb.example'],
      ...[
        'a\u200db.example',
        'a\u202eb.example',
        'a\u2028b',
        'a\u0085b',
        '\ufeffa.example',
        '\u0301a',
      ],
      // Punycode that is none, or that says what need not be encoded.
      ...['xn--', 'xn--a.example', 'xn--abc-.example', 'xn--0.example', 'xn--müller.example'],
      ...['a.xn--', 'xn--a-ecp.example', 'a\ud800.example'],
      ...[`${'a'.repeat(64)}.example`, `${'ü'.repeat(60)}.example`, `${'a.'.repeat(127)}a`],
    ];
    for (const text of bad) assert.equal(toAsciiDomain(text), null, JSON.stringify(text));
  });

  it('may be as long as the DNS allows', () => {
    const label = 'a'.repeat(63);
    const longest = `${label}.${label}.${label}.${'a'.repeat(61)}`;
    assert.equal(longest.length, 253);
    assert.equal(toAsciiDomain(longest), longest);
    assert.equal(toAsciiDomain(`${longest}a`), null);
  });

  it('comes out as something the helper takes, or not at all', () => {
    const letters = fc.constantFrom(
      'a',
      'Z',
      '0',
      '7',
      '-',
      '.',
      'ü',
      'ß',
      '。',
      'x',
      'n',
      'ı',
      'ا',
      '१',
    );
    const text = fc.oneof(fc.string({ unit: 'grapheme' }), fc.string({ unit: letters }));
    fc.assert(
      fc.property(text, (typed) => {
        const ascii = toAsciiDomain(typed);
        if (ascii === null) return;
        assert.match(ascii, /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/);
        assert.ok(isAsciiDomain(ascii));
        assert.equal(toAsciiDomain(ascii), ascii);
        assert.equal(toAsciiDomain(toUnicodeDomain(ascii)), ascii);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('a part of a text that somebody looks for', () => {
  it('is found in letters of any case, and in domains that stand there as A-labels', () => {
    const text = 'From=<anna@mail.xn--mller-kva.example>, to=<b@xn--a.example>';
    for (const part of ['ANNA', 'müller', '@Mail.Müller.example', 'xn--mller'])
      assert.ok(holdsPart(text, part), part);
    for (const part of ['muller', 'müllex', 'ü@']) assert.ok(!holdsPart(text, part), part);
  });
});

describe('a domain at the helper', () => {
  it('is one in A-labels and lower case, nothing else', () => {
    for (const name of ['example.org', 'a', 'x.org', 'xn--mller-kva.example']) {
      assert.ok(isAsciiDomain(name), name);
    }
    const bad = ['Example.org', 'müller.example', 'example.org.', '1.2.3.4', '$myhostname', ''];
    for (const name of bad) assert.equal(isAsciiDomain(name), false, name);
  });

  it('has a form to read that holds nothing but letters and marks of its script', () => {
    const label = fc.string({ unit: fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz0123456789-') });
    fc.assert(
      fc.property(label, (end) => {
        const name = `xn--${end}`;
        if (!isAsciiDomain(name)) return;
        assert.doesNotMatch(toUnicodeDomain(name), /[\p{C}\p{Z}$,;:/@{}"'`#\\]/u);
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('the settings of Local domains', () => {
  const refusal = (settings: unknown) =>
    domainsSchema.validate(settings, { convert: false }).error?.details[0]?.type;

  it('hold each name once, and no more than the limit', () => {
    const many = (count: number) =>
      Array.from({ length: count }, (_, index) => `d${index}.example`);
    assert.equal(refusal({ names: many(MAX_DOMAINS) }), undefined);
    assert.equal(refusal({ names: many(MAX_DOMAINS + 1) }), 'array.max');
    assert.equal(refusal({ names: ['a.example', 'a.example'] }), 'array.unique');
  });

  it('hold nothing else', () => {
    assert.equal(refusal({}), 'any.required');
    assert.equal(refusal({ names: null }), 'array.base');
    assert.equal(refusal({ names: ['a'], more: 1 }), 'object.unknown');
    assert.equal(refusal({ names: [1] }), 'string.base');
    assert.equal(refusal({ names: [undefined] }), 'array.sparse');
    assert.equal(refusal({ names: ['A.example'] }), 'domain.invalid');
  });
});

describe('a domain for mail from elsewhere', () => {
  it('is neither the bare name of a machine nor localhost in any dress', () => {
    const own = ['localhost', 'vm', 'localdomain', 'localhost.localdomain', 'vm.localdomain'];
    for (const name of own) assert.equal(isMailDomain(name), false, name);
    for (const name of ['example.com', 'localhost.example', 'a.b']) {
      assert.equal(isMailDomain(name), true, name);
    }
  });
});
