/** Which header of a provider names the recipient: seen in the headers of messages that wait there. Pure. */

/** One header that names addresses of the domains in question. */
export interface HeaderSighting {
  readonly name: string;
  /** Messages it names such an address in. */
  readonly messages: number;
  /** One of the addresses. */
  readonly example: string;
  /** What seems to stand before every address (fetchmail's `qvirtual`); '' for nothing. */
  readonly prefix: string;
}

/** Headers that name senders, readers or anything else than who the provider put the message into this mailbox for. */
const OTHERS =
  /^(?:from|to|cc|bcc|reply-to|sender|return-path|errors-to|message-id|references|in-reply-to|received|subject|comments|keywords|list-.*|dkim-.*|arc-.*|domainkey-.*|authentication-results|received-spf|disposition-notification-to|return-receipt-to|content-.*|mail-followup-to|mail-reply-to|x-original-from|x-mailer|resent-.*|thread-.*|feedback-id|auto-submitted|precedence)$/i;
/** The usual ones, the most telling first: it decides among those that are seen equally often. */
const USUAL = ['x-envelope-to', 'envelope-to', 'x-original-to', 'x-delivered-to', 'delivered-to'];
/** Headers that are told. */
const MAX_SIGHTINGS = 6;
const MAX_EXAMPLE_CHARS = 200;
/** How much of a field is looked at, in characters: to look for addresses in a long one takes the square of it. */
const MAX_VALUE_CHARS = 10_000;

/** The best first; none when no header names anybody at these domains. */
export function recipientHeaders(
  headers: readonly string[],
  domains: readonly string[],
): readonly HeaderSighting[] {
  const wanted = new Set(domains);
  const seen = new Map<string, { name: string; messages: Set<number>; addresses: string[] }>();
  for (const [index, header] of headers.entries()) {
    for (const { name, value } of fieldsOf(header)) {
      if (OTHERS.test(name)) continue;
      const addresses = addressesIn(value).filter((address) => wanted.has(domainOf(address)));
      if (addresses.length === 0) continue;
      const key = name.toLowerCase();
      const known = seen.get(key) ?? { name, messages: new Set(), addresses: [] };
      known.messages.add(index);
      known.addresses.push(...addresses);
      seen.set(key, known);
    }
  }
  return [...seen.entries()]
    .toSorted(
      ([a, one], [b, other]) => other.messages.size - one.messages.size || rank(a) - rank(b),
    )
    .slice(0, MAX_SIGHTINGS)
    .map(([, { name, messages, addresses }]) => ({
      name,
      messages: messages.size,
      example: (addresses[0] ?? '').slice(0, MAX_EXAMPLE_CHARS),
      prefix: commonPrefix(addresses),
    }));
}

/** The fields of a header, unfolded (RFC 5322 2.2.3). */
export function fieldsOf(
  header: string,
): readonly { readonly name: string; readonly value: string }[] {
  return header
    .replace(/\r?\n[ \t]+/g, ' ')
    .split(/\r?\n/)
    .flatMap((line) => {
      const [, name, value = ''] = /^([!-9;-~]+)[ \t]*:(.*)$/.exec(line) ?? [];
      return name === undefined ? [] : [{ name, value: value.trim() }];
    });
}

function addressesIn(value: string): readonly string[] {
  return [...value.slice(0, MAX_VALUE_CHARS).matchAll(/[^\s<>@,;:"()]+@[a-z0-9.-]+/gi)].map(
    ([address]) => address,
  );
}

function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1).toLowerCase();
}

function rank(name: string): number {
  const place = USUAL.indexOf(name);
  return place < 0 ? USUAL.length : place;
}

/** Up to a dash, and only where different people have it: one address alone says nothing. */
function commonPrefix(addresses: readonly string[]): string {
  const locals = [
    ...new Set(addresses.map((address) => address.slice(0, address.lastIndexOf('@')))),
  ];
  if (locals.length < 2) return '';
  const [first = ''] = locals;
  let length = first.lastIndexOf('-') + 1;
  while (length > 0 && !locals.every((local) => local.startsWith(first.slice(0, length)))) {
    length = first.slice(0, length - 1).lastIndexOf('-') + 1;
  }
  return first.slice(0, length);
}
