/**
 * Texts of all languages: flat ICU messages in `<folder>/<language>.json`, parsed once, on first use.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { IntlMessageFormat } from 'intl-messageformat';
import type { MessageValues } from './errors.js';

/** The language that has every key, and stands in where another one lacks a text. */
export const REFERENCE_LANGUAGE = 'en';

/** Which conventions (dates, numbers) a language follows where its bare tag would mean another country's. */
const CONVENTIONS: Readonly<Record<string, string>> = { en: 'en-GB' };

/** Turns a full key such as `aliases.field.name` into words. Values appear as they are: escape the result. */
export interface Translator {
  (key: string, values?: MessageValues): string;
  /** The language the words come in, one of `I18n.languages`. */
  readonly language: string;
  /** The tag for `Intl`, such as `en-GB`. */
  readonly locale: string;
}

export interface I18nOptions {
  /** The appliance's name; every text may use `{product}`. */
  readonly product: string;
  /** Hears of a key that no language has, or a value that a message lacks. Throws when absent: loud in tests. */
  readonly onProblem?: (problem: string) => void;
}

export interface I18n {
  /** Languages there are texts for, sorted. */
  readonly languages: readonly string[];
  has(key: string): boolean;
  /** The best language there is for a BCP 47 tag: `de-AT` finds `de`, anything unknown the reference. */
  match(tag: string): string;
  translator(tag: string): Translator;
}

/** Reads the language files of `folder`. Throws when one is no flat object of strings, or the reference is missing. */
export function createI18n(folder: string, options: I18nOptions): I18n {
  const complain =
    options.onProblem ??
    ((problem: string): never => {
      throw new Error(problem);
    });
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
  const messages = new Map(
    files.map((name) => [name.slice(0, -'.json'.length), readMessages(join(folder, name))]),
  );
  const reference = messages.get(REFERENCE_LANGUAGE);
  if (reference === undefined) throw new Error(`${folder} has no ${REFERENCE_LANGUAGE}.json`);
  const languages = [...messages.keys()].sort();

  const match = (tag: string): string => {
    const wanted = tag.toLowerCase();
    return (
      languages.find((language) => language.toLowerCase() === wanted) ??
      languages.find((language) => language.toLowerCase() === wanted.split('-')[0]) ??
      REFERENCE_LANGUAGE
    );
  };

  const make = (language: string): Translator => {
    const own = messages.get(language) ?? reference;
    const parsed = new Map<string, IntlMessageFormat>();
    const find = (key: string): IntlMessageFormat | null => {
      const known = parsed.get(key);
      if (known !== undefined) return known;
      const source = own.get(key) ?? reference.get(key);
      if (source === undefined) return null;
      const inOwn = own.has(key) ? language : REFERENCE_LANGUAGE;
      const message = new IntlMessageFormat(source, localeOf(inOwn), undefined, {
        ignoreTag: true,
      });
      parsed.set(key, message);
      return message;
    };
    const translate = (key: string, values: MessageValues = {}): string => {
      const message = find(key);
      if (message === null) {
        complain(`no text for ${JSON.stringify(key)}`);
        return key;
      }
      try {
        return String(message.format({ product: options.product, ...values }));
      } catch (error) {
        complain(`text ${JSON.stringify(key)} in ${language}: ${String(error)}`);
        return key;
      }
    };
    return Object.assign(translate, { language, locale: localeOf(language) });
  };

  const translators = new Map<string, Translator>();
  return {
    languages,
    match,
    has: (key) => reference.has(key),
    translator(tag) {
      const language = match(tag);
      const made = translators.get(language) ?? make(language);
      translators.set(language, made);
      return made;
    },
  };
}

function localeOf(language: string): string {
  return CONVENTIONS[language] ?? language;
}

function readMessages(path: string): ReadonlyMap<string, string> {
  const data: unknown = JSON.parse(readFileSync(path, 'utf8'));
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    throw new Error(`${path} must be one flat object`);
  }
  const entries = Object.entries(data as Record<string, unknown>);
  for (const [key, text] of entries) {
    if (typeof text !== 'string') throw new Error(`${path}: ${key} must be a string`);
  }
  return new Map(entries as [string, string][]);
}
