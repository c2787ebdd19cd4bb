import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { createFormats } from '../../lib/formats.js';
import { createI18n } from '../../lib/i18n.js';
import { PACKAGE_ROOT } from '../../lib/package-root.js';

const i18n = createI18n(join(PACKAGE_ROOT, 'locales'), { product: 'Acme' });
const now = (): Date => new Date('2026-11-22T11:42:00Z');
const formats = (language: string): ReturnType<typeof createFormats> =>
  createFormats(i18n.translator(language), { now, timeZone: 'UTC' });

/** Compares what is read, not which kind of blank stands between. */
const same = (actual: string, expected: string): void =>
  assert.equal(actual.replace(/[\u00a0\u202f]/g, ' '), expected);

describe('formats', () => {
  it('write sizes in steps of 1024, with a decimal only where it helps', () => {
    same(formats('en').bytes(0), '0 bytes');
    same(formats('en').bytes(1023), '1,023 bytes');
    same(formats('en').bytes(1536 * 1024 * 1024), '1.5 GB');
    same(formats('de').bytes(1536 * 1024 * 1024), '1,5 GB');
    same(formats('de').bytes(25 * 1024 * 1024), '25 MB');
    same(formats('fr').bytes(25 * 1024 * 1024), '25 Mo');
    same(formats('nl').bytes(1023), '1.023 byte');
  });

  it('write the number in a field with the decimal mark of the language, and leave what is no number', () => {
    assert.equal(formats('en').decimal('9.77'), '9.77');
    assert.equal(formats('de').decimal('9.77'), '9,77');
    assert.equal(formats('de').decimal('9.7.7'), '9.7.7');
  });

  it('never break a line between number and unit', () => {
    assert.doesNotMatch(formats('en').megabytes(25), / /);
  });

  it('name a moment as people do', () => {
    const { moment } = formats('de');
    same(moment(new Date('2026-11-22T08:04:00Z')), 'heute um 08:04 Uhr');
    same(moment(new Date('2026-11-21T17:20:00Z')), 'gestern um 17:20 Uhr');
    same(moment(new Date('2026-02-16T09:00:00Z')), '16.02.2026 um 09:00 Uhr');
    same(formats('en').moment(new Date('2026-02-16T09:00:00Z')), '16 Feb 2026 at 09:00');
    same(formats('fr').moment(new Date('2026-02-16T09:00:00Z')), 'le 16 févr. 2026 à 09:00');
    same(formats('nl').moment(new Date('2026-11-23T08:04:00Z')), 'morgen om 08:04');
  });

  it('say how long ago and how long', () => {
    same(formats('en').ago(new Date('2026-11-22T11:41:58Z')), 'just now');
    same(formats('en').ago(new Date('2026-11-22T11:37:00Z')), '5 minutes ago');
    same(formats('de').ago(new Date('2026-11-20T11:42:00Z')), 'vorgestern');
    same(formats('fr').ago(new Date('2026-11-22T11:37:00Z')), 'il y a 5 minutes');
    same(formats('en').duration((3 * 60 + 10) * 60_000), '3 hrs, 10 mins');
    same(formats('de').duration(90_000), '1 Min., 30 Sek.');
    same(formats('nl').duration(90_000), '1 min, 30 sec');
    same(formats('en').duration(0), '0 secs');
  });

  it('join lists and sort names in the language', () => {
    same(formats('de').list(['MX', 'SPF', 'PTR']), 'MX, SPF und PTR');
    same(formats('fr').list(['MX', 'SPF', 'PTR']), 'MX, SPF et PTR');
    assert.deepEqual(['z', 'ä', 'a10', 'a9'].sort(formats('de').compare), ['ä', 'a9', 'a10', 'z']);
  });
});
