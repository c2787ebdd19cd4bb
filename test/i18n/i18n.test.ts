import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createI18n } from '../../lib/i18n.js';

const english = {
  'mail.count': '{count, plural, one {# mail waits} other {# mails wait}} in {product}',
  'mail.markup': '<b>{name}</b> is text',
  'mail.onlyEnglish': 'only here: {size, number}',
};
const german = { 'mail.count': '{count, plural, one {# Mail wartet} other {# Mails warten}}' };

describe('texts', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'i18n-'));
    writeFileSync(join(folder, 'en.json'), JSON.stringify(english));
    writeFileSync(join(folder, 'de.json'), JSON.stringify(german));
  });
  after(() => rmSync(folder, { recursive: true }));

  it('fill in the product and use plural forms of the language', () => {
    const i18n = createI18n(folder, { product: 'Acme Server' });
    assert.deepEqual(i18n.languages, ['de', 'en']);
    assert.equal(i18n.translator('en')('mail.count', { count: 1 }), '1 mail waits in Acme Server');
    assert.equal(i18n.translator('de')('mail.count', { count: 2000 }), '2.000 Mails warten');
  });

  it('come in the nearest language there is, and in English where that one lacks a key', () => {
    const i18n = createI18n(folder, { product: 'Acme' });
    assert.equal(i18n.translator('de-AT').language, 'de');
    assert.equal(i18n.translator('xx').language, 'en');
    assert.equal(i18n.translator('de')('mail.onlyEnglish', { size: 1234.5 }), 'only here: 1,234.5');
  });

  it('keep tags and hostile values as they are', () => {
    const t = createI18n(folder, { product: 'Acme' }).translator('en');
    assert.equal(t('mail.markup', { name: '{x} <i>' }), '<b>{x} <i></b> is text');
  });

  it('are loud about an unknown key and a missing value', () => {
    const t = createI18n(folder, { product: 'Acme' }).translator('en');
    assert.throws(() => t('mail.missing'), /mail\.missing/);
    assert.throws(() => t('mail.count'), /mail\.count/);
  });

  it('show the key and tell the log where a page must not break', () => {
    const heard: string[] = [];
    const t = createI18n(folder, {
      product: 'Acme',
      onProblem: (problem) => heard.push(problem),
    }).translator('en');
    assert.equal(t('mail.missing'), 'mail.missing');
    assert.equal(t('toString'), 'toString');
    assert.equal(heard.length, 2);
  });

  it('are refused when a file is not flat', () => {
    const bad = mkdtempSync(join(tmpdir(), 'i18n-'));
    try {
      writeFileSync(join(bad, 'en.json'), JSON.stringify({ a: { b: 'c' } }));
      assert.throws(() => createI18n(bad, { product: 'Acme' }), /must be a string/);
      rmSync(join(bad, 'en.json'));
      assert.throws(() => createI18n(bad, { product: 'Acme' }), /no en\.json/);
    } finally {
      rmSync(bad, { recursive: true });
    }
  });
});
