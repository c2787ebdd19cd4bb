import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  addressKey,
  displayAddress,
  isAliasName,
  isTarget,
  lookupForms,
  parseAliasName,
  parseTarget,
} from '../../lib/aliases/address.js';
import { foldCase } from '../../lib/sections/fold-case.js';

describe('a typed alias name', () => {
  const accepted: readonly (readonly [typed: string, name: string])[] = [
    ['sales', 'sales'],
    [' Sales ', 'sales'],
    ['Info@Example.COM', 'info@example.com'],
    ['info+spam@example.com', 'info+spam@example.com'],
    ['@Example.com', '@example.com'],
    ['@bücher.example', '@xn--bcher-kva.example'],
    ['müller@bücher.example', 'müller@xn--bcher-kva.example'],
    ['Mu\u0308ller', 'müller'],
    ['Straße', 'strasse'],
    ['ΣΊΣΥΦΟΣ', 'σίσυφοσ'],
    ["o'brien@example.com", "o'brien@example.com"],
  ];
  for (const [typed, name] of accepted) {
    it(`${JSON.stringify(typed)} is kept as ${name}`, () => {
      assert.equal(parseAliasName(typed), name);
      assert.equal(isAliasName(name), true);
    });
  }

  const refused = [
    '',
    '@',
    '|/bin/sh',
    '/etc/passwd',
    ':include:/etc/shadow',
    '-rf',
    '"a b"@example.com',
    'a b',
    'a,b',
    'a\nb: c',
    'a\u0000b',
    'a\u2028b',
    'user%other@example.com',
    'host!user',
    'a..b@example.com',
    'a.@example.com',
    'a@b@example.com',
    'a@exa mple.com',
    'a@example.com/x',
    'a@192.0.2.1',
    `${'a'.repeat(65)}@example.com`,
    `${'ü'.repeat(33)}@example.com`,
    `a@${'b'.repeat(64)}.example`,
    'x'.repeat(1_000_000),
  ];
  for (const typed of refused) {
    it(`${JSON.stringify(typed.slice(0, 40))} is refused`, () => {
      assert.equal(parseAliasName(typed), null);
      assert.equal(parseTarget(typed), null);
      assert.equal(isAliasName(typed), false);
      assert.equal(isTarget(typed), false);
    });
  }
});

describe('a target', () => {
  it('keeps the case of a foreign local part and folds a name of this machine', () => {
    assert.equal(parseTarget('Some.One@Elsewhere.Example'), 'Some.One@elsewhere.example');
    assert.equal(parseTarget('Anna'), 'anna');
    assert.equal(addressKey('Some.One@elsewhere.example'), 'some.one@elsewhere.example');
  });

  it('is no catch-all', () => {
    assert.equal(parseTarget('@example.com'), null);
    assert.equal(isTarget('@example.com'), false);
  });
});

describe('the border', () => {
  it('refuses every text that is not in its one form', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
        if (isAliasName(text)) assert.equal(parseAliasName(text), text);
        if (isTarget(text)) assert.equal(parseTarget(text), text);
      }),
      { numRuns: 2_000 },
    );
  });

  it('takes every text that is, and no other of the signs that matter', () => {
    const signs = fc.constantFrom(...'ab1A.@-_+/='.split(''), 'x'.repeat(63));
    fc.assert(
      fc.property(fc.string({ unit: signs, maxLength: 12 }), (text) => {
        assert.equal(isAliasName(text), parseAliasName(text) === text);
        assert.equal(isTarget(text), parseTarget(text) === text);
      }),
      { numRuns: 5_000 },
    );
  });

  it('takes what the form makes of a capital sharp s', () => {
    const name = parseAliasName('STRA\u1e9eE@example.com');
    assert.equal(name, 'strasse@example.com');
    assert.equal(isAliasName(name), true);
  });

  it('takes what the form makes of any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 30 }), (text) => {
        const name = parseAliasName(`${text}@example.com`);
        if (name !== null) assert.equal(isAliasName(name), true, name);
        const target = parseTarget(text);
        if (target !== null) assert.equal(isTarget(target), true, target);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('forms of a name', () => {
  it('are both of an internationalised domain, for clients with SMTPUTF8', () => {
    assert.deepEqual(lookupForms('a@xn--bcher-kva.example'), [
      'a@xn--bcher-kva.example',
      'a@bücher.example',
    ]);
    assert.deepEqual(lookupForms('@xn--bcher-kva.example'), [
      '@xn--bcher-kva.example',
      '@bücher.example',
    ]);
    assert.deepEqual(lookupForms('sales'), ['sales']);
  });

  it('are shown to people in their own script', () => {
    assert.equal(displayAddress('a@xn--bcher-kva.example'), 'a@bücher.example');
  });
});

describe('case folding', () => {
  it('is stable: folding twice is folding once', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        assert.equal(foldCase(foldCase(text)), foldCase(text));
      }),
    );
  });

  it('leaves the dotless i alone, which is a letter of its own', () => {
    assert.equal(foldCase('kapı'), 'kapı');
  });
});
