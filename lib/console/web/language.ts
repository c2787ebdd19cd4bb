/** Which language a request is answered in: the one chosen before (a cookie), else what the browser asks for. */
import type { Request, Response } from 'express';
import { REFERENCE_LANGUAGE, type I18n } from '../../i18n.js';
import { cookieOptions, readCookie } from './cookies.js';

const COOKIE = 'console-language';
const LIFETIME_MS = 365 * 24 * 60 * 60 * 1000;

export interface Languages {
  of(req: Request): string;
  /** Remembers a choice; anything we have no texts for is passed over. */
  choose(req: Request, res: Response, language: unknown): void;
  /** Every language there is, under its own name. */
  readonly offered: readonly { readonly tag: string; readonly name: string }[];
}

export function createLanguages({ languages }: I18n): Languages {
  return {
    of(req) {
      const chosen = readCookie(req, COOKIE);
      if (chosen !== null && languages.includes(chosen)) return chosen;
      // What stands first wins where a browser does not care.
      return req.acceptsLanguages([REFERENCE_LANGUAGE, ...languages]) || REFERENCE_LANGUAGE;
    },
    choose(req, res, language) {
      if (typeof language !== 'string' || !languages.includes(language)) return;
      res.cookie(COOKIE, language, { ...cookieOptions(req), maxAge: LIFETIME_MS });
    },
    offered: languages.map((tag) => ({
      tag,
      name: new Intl.DisplayNames(tag, { type: 'language' }).of(tag) ?? tag,
    })),
  };
}

/** Scripts that are written from right to left (ISO 15924). */
const RIGHT_TO_LEFT = new Set(['Adlm', 'Arab', 'Hebr', 'Nkoo', 'Rohg', 'Syrc', 'Thaa']);

/** Which way a language is read, by the script it is usually written in. */
export function directionOf(language: string): 'ltr' | 'rtl' {
  return RIGHT_TO_LEFT.has(new Intl.Locale(language).maximize().script ?? '') ? 'rtl' : 'ltr';
}
