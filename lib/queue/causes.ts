/** Why mail waits: the causes that are told apart, and whose matter each is. Words stand under `queue.cause.<id>.`. */

/** Who can do something about it: this machine, the way between, or the other server. */
export type CauseSide = 'us' | 'way' | 'them' | 'none';

/** In the order in which pages list causes of the same number of messages. The position crosses the border. */
export const CAUSES = [
  { id: 'unknown', side: 'none' },
  { id: 'notTried', side: 'none' },
  { id: 'smarthostLogin', side: 'us' },
  { id: 'localDelivery', side: 'us' },
  { id: 'scanner', side: 'us' },
  { id: 'ourConfiguration', side: 'us' },
  { id: 'ourDisk', side: 'us' },
  { id: 'loop', side: 'us' },
  { id: 'domainUnknown', side: 'way' },
  { id: 'dns', side: 'way' },
  { id: 'refused', side: 'way' },
  { id: 'timeout', side: 'way' },
  { id: 'network', side: 'way' },
  { id: 'broken', side: 'way' },
  { id: 'tls', side: 'way' },
  { id: 'blockListed', side: 'us' },
  { id: 'reputation', side: 'us' },
  { id: 'ourName', side: 'us' },
  { id: 'senderAuthentication', side: 'us' },
  { id: 'senderRefused', side: 'us' },
  { id: 'relayDenied', side: 'us' },
  { id: 'content', side: 'them' },
  { id: 'policy', side: 'them' },
  { id: 'tooLarge', side: 'them' },
  { id: 'rateLimited', side: 'them' },
  { id: 'greylisted', side: 'them' },
  { id: 'verifying', side: 'them' },
  { id: 'busy', side: 'them' },
  { id: 'later', side: 'them' },
  { id: 'mailboxFull', side: 'them' },
  { id: 'mailboxUnavailable', side: 'them' },
  { id: 'userUnknown', side: 'them' },
  { id: 'localService', side: 'us' },
] as const satisfies readonly { readonly id: string; readonly side: CauseSide }[];

export type Cause = (typeof CAUSES)[number]['id'];

/** All ids, in the same order. */
export const CAUSE_IDS: readonly Cause[] = CAUSES.map(({ id }) => id);

const POSITIONS: ReadonlyMap<string, number> = new Map(CAUSE_IDS.map((id, at) => [id, at]));
const SIDES: ReadonlyMap<string, CauseSide> = new Map(CAUSES.map(({ id, side }) => [id, side]));

export function isCause(text: string): text is Cause {
  return POSITIONS.has(text);
}

/** Position in `CAUSES`: below 256, so that it fits into a byte. */
export function causePosition(cause: Cause): number {
  return POSITIONS.get(cause) ?? 0;
}

export function sideOf(cause: Cause): CauseSide {
  return SIDES.get(cause) ?? 'none';
}
