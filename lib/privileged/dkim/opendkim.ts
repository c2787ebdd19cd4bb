/**
 * With which keys OpenDKIM signs, as opendkim.conf(5) and its tables say. Of a private key nothing goes out but its public
 * half.
 */
import { createPublicKey } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { SigningKey } from '../../domains/dkim.js';
import { hasCode } from '../files.js';

/** No configuration, table or key is longer, in bytes. */
const MAX_BYTES = 4 * 1024 * 1024;

/** What stands in the place of a domain that is each sender's own. */
const EACH = '%';

class Unreadable extends Error {}

/** Null when some of it cannot be read; empty when there is no OpenDKIM, or it only checks. */
export async function opendkimKeys(file: string): Promise<readonly SigningKey[] | null> {
  try {
    const text = await readIfThere(file);
    if (text === null) return [];
    const options = optionsOf(text);
    // What stands in another file may say anything.
    if (options.has('include')) return null;
    if (!(options.get('mode') ?? 'sv').includes('s')) return [];
    return options.has('keytable') ? await fromTables(options) : await fromOneKey(options);
  } catch (error) {
    if (error instanceof Unreadable) return null;
    throw error;
  }
}

type Options = ReadonlyMap<string, string>;

/** `Name value` in each line; names in either case. */
function optionsOf(text: string): Options {
  return new Map(
    linesOf(text).map((line) => {
      const [name = '', ...value] = line.split(/\s+/);
      return [name.toLowerCase(), value.join(' ')];
    }),
  );
}

async function fromOneKey(options: Options): Promise<readonly SigningKey[]> {
  const [domains, selector, keyFile] = ['domain', 'selector', 'keyfile'].map((name) =>
    options.get(name),
  );
  if (domains === undefined || selector === undefined || keyFile === undefined) return [];
  const key = await readKey(keyFile);
  return (await readSet(domains)).map((line) => ({
    domain: signingDomain(line),
    selector,
    ...key,
  }));
}

/**
 * The signing table says for whom which key is taken, the key table what the key is. The first entry for a sender counts
 * alone, unless several signatures were asked for; in a table without patterns `*` is what is looked for last.
 */
async function fromTables(options: Options): Promise<readonly SigningKey[]> {
  const [keys, senders] = await Promise.all(
    ['keytable', 'signingtable'].map(async (name) => {
      const set = await readSet(options.get(name) ?? '');
      return set.map((line) => {
        const [, key = '', value = ''] = /^(\S+)\s*(.*)$/.exec(line) ?? [];
        return { key, value: value.trim() };
      });
    }),
  );
  // Of two of the same name the first counts.
  const entries = new Map<string, string>();
  for (const { key, value } of keys ?? []) if (!entries.has(key)) entries.set(key, value);
  const several = /^[ty1]/i.test(options.get('multiplesignatures') ?? '');
  const inOrder = /^refile:/.test(options.get('signingtable') ?? '');
  const domains = senders?.flatMap(({ key }) => wholeDomain(key) ?? []) ?? [];
  const before = new Set<string>();
  const found = new Map<string, SigningKey>();
  for (const { key: sender, value } of senders ?? []) {
    const whole = wholeDomain(sender);
    if (!several && whole !== null && before.has(whole)) continue;
    if (whole !== null) before.add(whole);
    const except = several ? [] : inOrder ? [...before] : domains;
    for (const name of value.split(/[\s,]+/)) {
      const entry = entries.get(name);
      if (entry === undefined) continue;
      const [domain = '', selector = '', ...file] = entry.split(':');
      const signs = domain === EACH ? signingDomain(sender) : domain.toLowerCase();
      found.set(`${signs} ${selector}`, {
        domain: signs,
        selector,
        ...(await readKey(file.join(':').replaceAll(EACH, signs))),
        ...(signs === '*' && except.length > 0 ? { except } : {}),
      });
    }
  }
  return [...found.values()];
}

/** The domain whose senders all match, each of them; null where it is only some, or those of many domains. */
function wholeDomain(sender: string): string | null {
  return /^(?:\*@)?([\w-][\w.-]*)$/.exec(sender)?.[1]?.toLowerCase() ?? null;
}

/** The domain of a sender in a signing table: `user@domain`, `domain`, `.domain`, `*@domain`, `*`. */
function signingDomain(sender: string): string {
  const domain = sender.slice(sender.lastIndexOf('@') + 1).toLowerCase();
  return domain.includes('*') ? '*' : domain.replace(/^\./, '');
}

/** The lines of a data set (opendkim(8)): in a file, or a list with commas. Other kinds are asked of other programs. */
async function readSet(set: string): Promise<readonly string[]> {
  const [, kind, rest = ''] = /^(?:([a-z]+):)?(.*)$/.exec(set) ?? [];
  if (kind === 'file' || kind === 'refile' || (kind === undefined && rest.startsWith('/'))) {
    return linesOf((await readIfThere(rest)) ?? unreadable());
  }
  if (kind === 'csl' || kind === undefined) {
    return rest
      .split(',')
      .flatMap((one) => (one.trim() === '' ? [] : [one.trim().replace('=', ' ')]));
  }
  return unreadable();
}

async function readKey(file: string): Promise<Pick<SigningKey, 'kind' | 'publicKey'>> {
  const pem = file.startsWith('/') ? await readIfThere(file) : file;
  try {
    const key = createPublicKey(pem ?? '');
    if (key.asymmetricKeyType === 'ed25519') {
      // The bare 32 bytes (RFC 8463, 4.2).
      const { x = '' } = key.export({ format: 'jwk' });
      return { kind: 'ed25519', publicKey: Buffer.from(x, 'base64url').toString('base64') };
    }
    const der = key.export({ format: 'der', type: 'spki' });
    return { kind: 'rsa', publicKey: der.toString('base64') };
  } catch {
    return unreadable();
  }
}

function linesOf(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => line.replace(/#.*$/, '').trim())
    .filter((line) => line !== '');
}

/** Null when there is none. Waits for no pipe, and reads no device. */
async function readIfThere(file: string): Promise<string | null> {
  let handle;
  try {
    handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    return unreadable();
  }
  try {
    const found = await handle.stat();
    if (!found.isFile() || found.size > MAX_BYTES) return unreadable();
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

function unreadable(): never {
  throw new Unreadable();
}
