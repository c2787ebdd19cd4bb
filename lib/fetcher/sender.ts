/** Mail from a sender no address can be: spam mostly, and letters from addresses with umlauts. It must not stay behind for that. */

/** What Postfix says to such a sender (RFC 3463 3.2, RFC 6531 3.7.4.2). */
const NO_SENDER = /^5\d\d[ -]5\.(?:1\.[78]|6\.7) /;

/** The same MAIL without a sender, whom nobody could answer anyhow; null when it is not the sender that was refused. */
export function withoutSender(command: Buffer, reply: string): Buffer | null {
  if (!NO_SENDER.test(reply)) return null;
  return Buffer.from(command.toString('latin1').replace(/<.*>/, '<>'), 'latin1');
}

/** Tells Postfix the sender, or that there is none where it takes no mail from this one. Gives its last answer. */
export async function tellSender(
  command: Buffer,
  tell: (command: Buffer) => Promise<string>,
): Promise<string> {
  const reply = await tell(command);
  const without = withoutSender(command, reply);
  return without === null ? reply : tell(without);
}
