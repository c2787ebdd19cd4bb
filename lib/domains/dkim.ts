/**
 * Whether others can check what this server signs (DKIM, RFC 6376): the public key that the DNS has for a selector, beside
 * the one that signs here.
 */
import { finding, type Finding } from './finding.js';
import { orNothing, type DnsQueries } from './spf.js';
import { toUnicodeDomain } from './schema.js';

/** One key that mail is signed with. */
export interface SigningKey {
  /** The domain that signs; `*` when each sender's domain does. */
  readonly domain: string;
  /** Where each sender's domain signs: those that another key signs for. */
  readonly except?: readonly string[];
  readonly selector: string;
  readonly kind: 'rsa' | 'ed25519';
  /** The public key, as `p=` of the record has it. */
  readonly publicKey: string;
}

export interface Signing {
  readonly keys: readonly SigningKey[];
  /** Programs that sign with keys which cannot be read, by name. */
  readonly unreadable: readonly string[];
}

/** Bytes of the shortest key that is compared without what stands around it: 512 bits. */
const SHORTEST_BYTES = 64;

/** The whole text of the record that makes the key known (RFC 6376, 3.6.1). */
export function dkimRecord({ kind, publicKey }: Omit<SigningKey, 'domain' | 'selector'>): string {
  return `v=DKIM1; k=${kind}; p=${publicKey}`;
}

/** `signing` is null while nobody can say what is signed here. Rejects when the DNS cannot be asked. */
export async function checkDkim(
  dns: DnsQueries,
  domain: string,
  signing: Signing | null,
): Promise<Finding> {
  const shown = toUnicodeDomain(domain);
  if (signing === null) return finding('off', 'domains.check.dkim.unknown', { domain: shown });
  const keys = signing.keys.filter(
    (key) => key.domain === domain || (key.domain === '*' && !key.except?.includes(domain)),
  );
  const selectors = keys.map(({ selector }) => selector).join(', ');
  const answers = await Promise.all(keys.map((key) => published(dns, domain, key)));
  for (const wrong of ['missing', 'revoked', 'other'] as const) {
    const key = keys[answers.indexOf(wrong)];
    if (key === undefined) continue;
    const { selector } = key;
    const name = recordName(domain, key);
    const values = { domain: shown, selector, name, record: dkimRecord(key) };
    return finding('bad', `domains.check.dkim.${wrong}`, values);
  }
  const [program] = signing.unreadable;
  if (program !== undefined) {
    return finding('off', 'domains.check.dkim.unreadable', { domain: shown, program });
  }
  if (keys.length > 0) {
    return finding('ok', 'domains.check.dkim.same', { domain: shown, selector: selectors });
  }
  const quiet = finding('off', 'domains.check.dkim.notSigned', { domain: shown });
  return { ...quiet, word: 'domains.check.word.notSigned' };
}

function recordName(domain: string, { selector }: SigningKey): string {
  return `${selector}._domainkey.${domain}`;
}

async function published(
  dns: DnsQueries,
  domain: string,
  key: SigningKey,
): Promise<'same' | 'missing' | 'revoked' | 'other'> {
  const records = await orNothing(dns.resolveTxt(recordName(domain, key)));
  const found = records
    .map((chunks) => keyOf(chunks.join('')))
    .filter((text): text is string => text !== null);
  if (found.some((text) => isSameKey(text, key.publicKey))) return 'same';
  if (found.length === 0) return 'missing';
  return found.every((text) => text === '') ? 'revoked' : 'other';
}

/** The public key of a record; '' for one that was called back, null for a text that is no such record. */
function keyOf(text: string): string | null {
  const tags = new Map(
    text.split(';').map((tag) => {
      const [name = '', ...value] = tag.split('=');
      return [name.trim(), value.join('=').replaceAll(/\s/g, '')];
    }),
  );
  return (tags.get('v') ?? 'DKIM1') === 'DKIM1' ? (tags.get('p') ?? null) : null;
}

/** An RSA key may stand there bare, without the frame that names its kind (RFC 6376, erratum 3017). */
function isSameKey(published: string, own: string): boolean {
  const [theirs, ours] = [published, own].map((text) => Buffer.from(text, 'base64'));
  if (theirs === undefined || ours === undefined) return false;
  return theirs.equals(ours) || (theirs.length > SHORTEST_BYTES && endsWith(ours, theirs));
}

function endsWith(whole: Buffer, end: Buffer): boolean {
  return whole.subarray(-end.length).equals(end);
}
