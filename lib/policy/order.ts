/** The restrictions Postfix follows before it takes a mail, in the order in which it does (SMTPD_ACCESS_README). Pure. */
import { splitList } from '../sections/elements.js';
import { POLICY_CLASS, SPF_SERVICE } from './section.js';

/** In the order in which smtpd(8) follows them, with `smtpd_delay_reject` and relay protection first. */
export const RESTRICTION_LISTS = [
  'smtpd_client_restrictions',
  'smtpd_helo_restrictions',
  'smtpd_sender_restrictions',
  'smtpd_relay_restrictions',
  'smtpd_recipient_restrictions',
] as const;

export interface RestrictionLists {
  readonly lists: Readonly<Record<string, string>>;
  /** Values of the restriction classes. */
  readonly classes: Readonly<Record<string, string>>;
  readonly policyPort: number;
  readonly blockListsPort: number;
}

/** One thing Postfix does: what it is called in the texts (`policy.order.<key>`), and how it stands in main.cf. */
export interface OrderStep {
  readonly list: string;
  readonly key: string;
  readonly text: string;
  /** Ours, not somebody else's. */
  readonly ours: boolean;
  /** Behind something that ends the list for everybody. */
  readonly unreachable: boolean;
}

/** Restrictions that take an argument of their own. */
const WITH_ARGUMENT =
  /^(?:check_\w+|reject_rbl_client|reject_rhsbl_\w+|permit_dnswl_client|permit_rhswl_client|sleep)$/;
/** The rest of the list is never looked at behind these. */
const ENDING = new Set(['permit', 'reject', 'defer']);

export const EXCEPTIONS_CLASS = 'mailserver_exceptions';
const OURS = new Set([POLICY_CLASS, EXCEPTIONS_CLASS]);

export function orderOf(restrictions: RestrictionLists): readonly OrderStep[] {
  return RESTRICTION_LISTS.flatMap((list) => {
    let over = false;
    return flatten(restrictions.lists[list] ?? '', restrictions, false, 0).map((one) => {
      const step = {
        ...{ list, text: one.text, ours: one.ours },
        key: keyOf(one.text, restrictions),
        unreachable: over,
      };
      if (ENDING.has(one.text)) over = true;
      return step;
    });
  });
}

interface Flat {
  readonly text: string;
  readonly ours: boolean;
}

/** Deeper than any class in a class goes. */
const MAX_DEPTH = 5;

function flatten(
  value: string,
  restrictions: RestrictionLists,
  ours: boolean,
  depth: number,
): readonly Flat[] {
  const words = splitList(value);
  const found: Flat[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    const inside = restrictions.classes[word];
    if (inside !== undefined && depth < MAX_DEPTH) {
      found.push(...flatten(inside, restrictions, ours || OURS.has(word), depth + 1));
    } else if (WITH_ARGUMENT.test(word) && at + 1 < words.length) {
      at += 1;
      found.push({ text: `${word} ${words[at]}`, ours });
    } else {
      found.push({ text: word, ours });
    }
  }
  return found;
}

/** Restrictions that have words of their own, beside those that begin with `check_`. */
const KNOWN = new Set([
  'defer',
  'defer_unauth_destination',
  'permit',
  'permit_mynetworks',
  'permit_sasl_authenticated',
  'reject',
  'reject_invalid_helo_hostname',
  'reject_non_fqdn_helo_hostname',
  'reject_non_fqdn_recipient',
  'reject_non_fqdn_sender',
  'reject_unauth_destination',
  'reject_unauth_pipelining',
  'reject_unknown_recipient_domain',
  'reject_unlisted_recipient',
  'reject_unlisted_sender',
  'reject_unknown_sender_domain',
]);

function keyOf(text: string, { policyPort, blockListsPort }: RestrictionLists): string {
  const [word = ''] = text.split(' ');
  if (KNOWN.has(word)) return word.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  if (word === 'check_policy_service') {
    if (text.includes(`private/${SPF_SERVICE}`)) return 'spf';
    if (new RegExp(`:${policyPort}\\b`).test(text)) return 'greylisting';
    return new RegExp(`:${blockListsPort}\\b`).test(text) ? 'blockLists' : 'policyService';
  }
  if (/mailserver\.d\/exceptions|^check_client_access cidr:\{/.test(text)) return 'exceptions';
  if (/^reject_rbl_client|^reject_rhsbl_/.test(word)) return 'rbl';
  return /^check_\w+_access$/.test(word) ? 'access' : 'other';
}
