/** Where mail to an address goes: what is asked, and what Postfix' own tables and its own report answer. */
import Joi from 'joi';
import { isTarget, parseAddress } from '../aliases/address.js';
import type { End, Ending } from '../aliases/local.js';

/** Longest address, in characters: local part, `@`, domain. */
export const MAX_ADDRESS_LENGTH = 320;

/** An address with a domain; its local part in any case. */
export const addressSchema = Joi.string()
  .max(MAX_ADDRESS_LENGTH)
  .custom((text: string) => {
    if (!text.includes('@') || parseAddress(text) === null || !isTarget(text)) {
      throw new Error('no address');
    }
    return text;
  });

/** What decided, in Postfix' own names: a parameter, and of a list of tables the one that had the key. */
export interface Rule {
  readonly parameter: string;
  /** The table or pattern in the parameter's value; '' where the value itself decides. */
  readonly table: string;
  /** What was found there; '' where nothing had to be found. */
  readonly key: string;
}

/**
 * `origin`: a bare name gets a domain. `canonical`: rewritten. `virtual`: an alias. `system`: the system's own alias.
 * `forward`: a user's own `.forward` file.
 */
export type StepKind = 'origin' | 'canonical' | 'virtual' | 'system' | 'forward';

/**
 * Why a user's `.forward` file is not followed here: Postfix looks for it elsewhere (`path`); it is a link, not the user's
 * own, too large or cannot be read (`unread`). `ignored`: everybody may write to it, so Postfix passes it over as well.
 */
export type ForwardFault = 'path' | 'unread' | 'ignored';

export interface RouteStep {
  readonly kind: StepKind;
  readonly address: string;
  readonly results: readonly string[];
  readonly rule: Rule;
  /** The table is the one this plugin writes. */
  readonly ours: boolean;
}

/** How mail is handed over at the end. */
export type Way =
  | 'mailbox'
  | 'command'
  | 'transport'
  | 'fallback'
  | 'luser'
  | 'bounce'
  | 'circle'
  | 'smarthost'
  | 'mx'
  | 'refused'
  | 'virtualMailbox'
  | 'program'
  | 'file'
  | 'include';

export interface RouteEnd {
  readonly address: string;
  readonly ending: Ending;
  readonly way: Way;
  /** The mailbox file, the next server, the command; of a circle the names once round. */
  readonly to: string;
  /** What makes the domain local, or somebody else's. */
  readonly domain: Rule;
  /** What decides how it is handed over. */
  readonly rule: Rule;
  /** The user may have a `.forward` file, which comes before the mailbox, and was not followed. */
  readonly forward: ForwardFault | null;
}

export interface RouteAnswer {
  readonly steps: readonly RouteStep[];
  readonly ends: readonly RouteEnd[];
  /** Where it would end if no user had a `.forward` file, of which the settings know nothing. */
  readonly unforwarded: readonly End[];
  /** Aliases turn in a circle, or there are too many recipients: Postfix takes no mail for it. */
  readonly endless: boolean;
  /** Whether Postfix runs; its tables can be asked all the same. */
  readonly running: boolean;
  /** The relay host depends on the sender as well. */
  readonly bySender: boolean;
}

/** One line of Postfix' own report (sendmail -bv). */
export interface ReportLine {
  readonly address: string;
  /** The recipient it was made of; '' when it is the same. */
  readonly original: string;
  readonly relay: string;
  readonly deliverable: boolean;
  readonly text: string;
}

export interface RouteReport {
  readonly lines: readonly ReportLine[];
  /** False when a server outside had not answered within the time. */
  readonly complete: boolean;
}
