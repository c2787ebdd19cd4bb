/**
 * Whether somebody from outside could send through this server: strangers from all over the address space are simulated
 * through the probe listener (XCLIENT_README), and each must be refused because of where they come from.
 */
import { containsNetwork, parseNetwork, type Network } from '../../relay-subnets/network.js';
import type { SmtpDialogue, SmtpReply } from '../smtp-dialogue.js';

/** An address nobody has to be known (RFC 2606). */
export const OUTSIDE_RECIPIENT = 'nobody@outside.example';
const STRANGER_NAME = 'stranger.example';

/** The usual stranger first (RFC 5737, RFC 3849), then one from every eighth of the addresses that are in use. */
const STRANGERS: readonly string[] = [
  '203.0.113.9',
  '2001:db8::9',
  '5.5.5.5',
  '45.45.45.45',
  '80.80.80.80',
  '110.110.110.110',
  '140.140.140.140',
  '175.175.175.175',
  '205.205.205.205',
  '2400:cb00::9',
  '2600:1f00::9',
  '2a00:1450::9',
];

/** `closed`: refused as somebody who may not relay. `refused`: refused for another reason, which proves nothing. */
export type StrangerOutcome = 'open' | 'closed' | 'refused';

export interface StrangerAnswer {
  readonly address: string;
  readonly sender: string;
  readonly outcome: StrangerOutcome;
  /** What the server said last. */
  readonly reply: string;
}

/** Addresses that are in none of the networks somebody let in on purpose; IPv6 only where the server speaks it. */
export function strangersOutside(
  allowed: readonly string[],
  inetProtocols: string,
): readonly string[] {
  const networks = allowed.flatMap(networkOf);
  return STRANGERS.filter(
    (address) =>
      canAsk(address, inetProtocols) &&
      networkOf(address).every((own) => !networks.some((network) => containsNetwork(network, own))),
  );
}

/** Whether XCLIENT takes the address: an IPv6 one only where the server speaks IPv6; IPv4 ones always. */
export function canAsk(address: string, inetProtocols: string): boolean {
  return !address.includes(':') || /\b(?:all|ipv6)\b/.test(inetProtocols);
}

function networkOf(text: string): Network[] {
  const parsed = parseNetwork(text);
  return 'network' in parsed ? [parsed.network] : [];
}

/** Asks as one stranger. `sender` may pretend to be one of ours. Throws when the listener does not play along. */
export async function askAsStranger(
  dialogue: SmtpDialogue,
  address: string,
  sender = `sender@${STRANGER_NAME}`,
): Promise<StrangerAnswer> {
  const reply = await askAs(dialogue, address, sender);
  return { address, sender, outcome: outcomeOf(reply), reply: reply.lines.join('\n') };
}

/**
 * What the server says to somebody at `address` who wants to send, to outside by default: the first refusal, or the last answer.
 * A server that turns clients away says so in place of its banner, which XCLIENT repeats.
 */
export async function askAs(
  dialogue: SmtpDialogue,
  address: string,
  sender: string,
  recipient = OUTSIDE_RECIPIENT,
): Promise<SmtpReply> {
  const literal = address.includes(':') ? `IPV6:${address}` : address;
  await must(dialogue, 'RSET', [250]);
  const banner = `XCLIENT ADDR=${literal} NAME=${STRANGER_NAME}`;
  const greeted = await must(dialogue, banner, [220, 421, 450, 521, 554]);
  if (greeted.code !== 220) return greeted;
  await must(dialogue, `EHLO ${STRANGER_NAME}`, [250]);
  const from = await dialogue.say(`MAIL FROM:<${sender}>`);
  return from.code >= 400 ? from : dialogue.say(`RCPT TO:<${recipient}>`);
}

/** Anything unexpected is not taken for a refusal. */
async function must(
  dialogue: SmtpDialogue,
  line: string,
  codes: readonly number[],
): Promise<SmtpReply> {
  const reply = await dialogue.say(line);
  if (!codes.includes(reply.code)) throw new Error(reply.lines.join('\n'));
  return reply;
}

/** Words of `reject_unauth_destination` and of a plain `reject`, which look at nothing but who is asking. */
function outcomeOf({ code, lines }: SmtpReply): StrangerOutcome {
  if (code < 400) return 'open';
  return /Relay access denied|rejected: Access denied/i.test(lines.join(' '))
    ? 'closed'
    : 'refused';
}
