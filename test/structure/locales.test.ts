import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { IntlMessageFormat } from 'intl-messageformat';
import { messagesOf, sourceFiles } from '../support/sources.js';

const FOLDERS = ['locales', 'lib/console/locales'];

/** Words that are the same in every language: names, units, terms of the field. */
const SAME = new Set(
  'MB Mailserver Name Port Domain Dovecot Cyrus grommunio LMTP SMTPS SPF Server Smarthost MX PTR Postfix Person'.split(
    ' ',
  ),
);

/** Arguments of an ICU message, with the kind of each: `count plural`. */
function argumentsOf(message: string): string[] {
  type Element = { type: number; value?: string; options?: Record<string, { value: Element[] }> };
  const KINDS: Readonly<Record<number, string>> = {
    1: 'text',
    2: 'number',
    3: 'date',
    4: 'time',
    5: 'select',
    6: 'plural',
  };
  const found = new Set<string>();
  const walk = (elements: readonly Element[]): void => {
    for (const { type, value, options } of elements) {
      if (KINDS[type] !== undefined) found.add(`${value} ${KINDS[type]}`);
      for (const option of Object.values(options ?? {})) walk(option.value);
    }
  };
  walk(new IntlMessageFormat(message, 'en', undefined, { ignoreTag: true }).getAst());
  return [...found].sort();
}

/** The words of a message without its arguments. */
function wordsOf(message: string): string[] {
  return message.replace(/\{[^{}]*\}/g, ' ').match(/\p{L}+/gu) ?? [];
}

for (const folder of FOLDERS) {
  describe(`the texts in ${folder}`, () => {
    const files = sourceFiles([folder], ['.json']).map(({ path }) => path);
    const english = new Map(messagesOf(`${folder}/en.json`));

    for (const path of files) {
      const messages = messagesOf(path);

      it(`${path}: the same keys as in English, sorted`, () => {
        const keys = messages.map(([key]) => key);
        assert.deepEqual(keys, keys.toSorted());
        assert.deepEqual(keys, [...english.keys()].toSorted());
      });

      it(`${path}: full keys, and values that say something`, () => {
        for (const [key, text] of messages) {
          assert.match(key, /^[a-z][A-Za-z0-9]*(\.[a-z][A-Za-z0-9]*)+$/, key);
          assert.ok(text.trim() !== '' && text === text.trim(), key);
        }
      });

      it(`${path}: the same arguments as in English`, () => {
        for (const [key, text] of messages) {
          const wanted = argumentsOf(english.get(key) ?? '');
          assert.deepEqual(argumentsOf(text), wanted, key);
        }
      });

      it(`${path}: typographic quotes, apostrophes and ellipses, no exclamation marks`, () => {
        for (const [key, text] of messages) {
          assert.doesNotMatch(text, /["'!]|\.\.\./, `${key}: ${text}`);
        }
      });

      if (!path.endsWith('/en.json')) {
        it(`${path}: nothing left in English by accident`, () => {
          for (const [key, text] of messages) {
            const own = wordsOf(text).filter((word) => !SAME.has(word));
            assert.ok(text !== english.get(key) || own.length === 0, `${key}: ${text}`);
          }
        });
      }

      if (path.endsWith('/de.json')) {
        it(`${path}: formal address and German quotes`, () => {
          for (const [key, text] of messages) {
            assert.doesNotMatch(text, /\b([Dd]u|[Dd]ein\w*|[Dd]ich|[Dd]ir)\b/, `${key}: ${text}`);
            assert.doesNotMatch(text, /”/, `${key}: ${text}`);
            const pairs = [text.match(/„/g)?.length ?? 0, text.match(/“/g)?.length ?? 0];
            assert.equal(pairs[0], pairs[1], `${key}: ${text}`);
          }
        });
      }
    }
  });
}
