import assert from 'node:assert/strict';
import { basename } from 'node:path';
import { describe, it } from 'node:test';
import { IntlMessageFormat } from 'intl-messageformat';
import { messagesOf, sourceFiles } from '../support/sources.js';

const FOLDERS = ['locales', 'lib/console/locales'];

/** Words that are the same in every language: names, terms of the field. */
const SAME =
  'Greylisting HELO Dovecot Cyrus grommunio LMTP SMTPS STARTTLS SPF Smarthost MX PTR Postfix multidrop main cf amavis ClamAV SpamAssassin freshclam';

/** Words that a language shares with English. A new language may add a line. */
const SHARED: Readonly<Record<string, string>> = {
  de: 'Version Mails MB Mailserver Name Port Domain Server Person',
  fr: 'Version bits points messages Messages Actions Alias alias Configuration Console Destination destination Menu Note Page Port port Question public',
  nl: 'bits mails Mails Accounts Alias alias Console in MB Mailserver Menu parameter Protocol Server',
};

/** What a language asks of its own texts: how the reader is addressed, which quotes there are. */
const STYLE: Readonly<Record<string, (text: string) => void>> = {
  de(text) {
    assert.doesNotMatch(text, /\b([Dd]u|[Dd]ein\w*|[Dd]ich|[Dd]ir)\b/);
    assert.doesNotMatch(text, /”/);
    assert.equal(text.match(/„/g)?.length, text.match(/“/g)?.length);
  },
  fr(text) {
    assert.doesNotMatch(text, /(?<!\p{L})([Tt]u|[Tt]oi|[Tt]es?|[Tt]on)(?!\p{L})/u);
    assert.doesNotMatch(text, /[“”„]/);
    assert.doesNotMatch(text, / [:;?»]|« /, 'a blank that may break stands before a mark');
    assert.doesNotMatch(text, /[\p{L})][;?»]|«\p{L}/u, 'no blank stands before a mark');
  },
  nl(text) {
    assert.doesNotMatch(text, /\b([Jj]e|[Jj]ij|[Jj]ou|[Jj]ouw)\b/);
    assert.doesNotMatch(text, /\b(mailbox|postbus)/i, 'where mail is kept is a “postvak”');
    assert.equal(text.match(/“/g)?.length, text.match(/”/g)?.length);
  },
};

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

      const language = basename(path, '.json');
      if (language !== 'en') {
        const same = new Set(`${SAME} ${SHARED[language] ?? ''}`.split(' '));
        it(`${path}: nothing left in English by accident`, () => {
          for (const [key, text] of messages) {
            const own = wordsOf(text).filter((word) => !same.has(word));
            const isOwn = text !== english.get(key) || own.length === 0;
            assert.ok(isOwn, `${key}: ${text} (words that both languages share stand in SHARED)`);
          }
        });
      }

      const style = STYLE[language];
      if (style !== undefined) {
        it(`${path}: formal address, quotes and blanks of the language`, () => {
          for (const [key, text] of messages) {
            try {
              style(text);
            } catch (error) {
              throw new Error(`${key}: ${text}`, { cause: error });
            }
          }
        });
      }
    }
  });
}
