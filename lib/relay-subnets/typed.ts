/** What somebody typed as a network: the network, or why not, and what was probably meant. */
import { UserError } from '../errors.js';
import { quote } from '../web/fields.js';
import {
  concernOf,
  formatNetwork,
  parseNetwork,
  refusalOf,
  sizeOf,
  type Network,
} from './network.js';

/** Shown instead of a number that nobody can imagine. */
const COUNTABLE = 10n ** 12n;

export interface TypedNetwork {
  readonly network: Network;
  readonly text: string;
  /** Why it needs a second yes; null when it does not. */
  readonly concern: 'public' | 'wide' | null;
}

/** Throws `UserError` at the field `network`. */
export function readNetwork(typed: string): TypedNetwork {
  const problem = (key: string, values: Readonly<Record<string, string>> = {}): UserError =>
    new UserError({
      key: `relay.problem.${key}`,
      values: { value: quote(typed), ...values },
      field: 'network',
    });
  if (typed === '') throw problem('empty');
  const parsed = parseNetwork(typed);
  if ('fault' in parsed) {
    const [network = '', machine = ''] = parsed.suggestions;
    throw problem(parsed.fault, { network, machine });
  }
  const refusal = refusalOf(parsed.network);
  if (refusal !== null) throw problem(refusal);
  return {
    network: parsed.network,
    text: formatNetwork(parsed.network),
    concern: concernOf(parsed.network),
  };
}

/** What can be offered in place of something that was typed wrongly. */
export function suggestionsFor(typed: string): readonly string[] {
  const parsed = parseNetwork(typed);
  return 'fault' in parsed && parsed.fault === 'hostBits' ? parsed.suggestions : [];
}

/** The number of addresses as a message takes it: 0 stands for “more than anybody counts”. */
export function countOf(network: Network): number {
  const size = sizeOf(network);
  return size > COUNTABLE ? 0 : Number(size);
}
