/**
 * With which keys amavis signs. Its configuration is a program: as for its other checks it is run as the user that mail is
 * looked at by, and amavis tells the public keys itself.
 */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { SigningKey } from '../../domains/dkim.js';
import { AMAVIS_USER } from '../../security/places.js';
import { runNativeAs } from '../native-as.js';

/** How long amavis may take to read its configuration, in milliseconds. */
const TIMEOUT_MS = 20_000;

/**
 * Read after all others: whether signing is switched on, and mail can be ours at all, by default or in some policy bank. One
 * of the name MYNETS says so by being there (load_policy_bank of Amavis.pm); without, amavis signs nothing.
 */
const REPORT = `my $some = sub { my $name = shift;
  grep { $_ } map { my $value = $_->{$name}; ref $value eq 'SCALAR' ? $$value : $value } values %policy_bank };
print "signs\n" if ($enable_dkim_signing || $some->('enable_dkim_signing'))
  && ($originating || exists $policy_bank{'MYNETS'} || $some->('originating'));
1;
`;

/** Null when amavis cannot read its configuration, or a key in it. `files` in the order in which amavis reads them. */
export async function amavisKeys(
  files: readonly string[],
  runFolder: string,
): Promise<readonly SigningKey[] | null> {
  const folder = await mkdtemp(path.join(runFolder, 'mailserver-dkim-'));
  try {
    await chmod(folder, 0o755);
    const report = path.join(folder, 'report');
    await writeFile(report, REPORT);
    await chmod(report, 0o644);
    const { code, stdout } = await runNativeAs(
      { user: AMAVIS_USER, home: '/nonexistent' },
      '/usr/sbin/amavisd',
      [...[...files, report].flatMap((file) => ['-c', file]), 'showkeys'],
      { timeoutMs: TIMEOUT_MS },
    );
    return code === 0 ? parseKeys(stdout) : null;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Reads what `showkeys` says: a remark for each key, and its record as a zone file has it. Pure. Of several keys for a domain
 * the first signs, and the one for each domain signs for those that have none (get_dkim_key of Amavis/DKIM.pm).
 */
export function parseKeys(text: string): readonly SigningKey[] {
  if (!/^signs$/m.test(text)) return [];
  const all = listedKeys(text);
  const first = new Map<string, SigningKey>();
  for (const key of all) if (!first.has(key.domain)) first.set(key.domain, key);
  const except = [...first.keys()].filter((domain) => domain !== '*');
  return [...first.values()].map((key) =>
    key.domain === '*' && except.length > 0 ? { ...key, except } : key,
  );
}

function listedKeys(text: string): readonly SigningKey[] {
  return text
    .split(/^; key#/m)
    .slice(1)
    .flatMap((entry) => {
      const { domain, selector } =
        /^\d+ \d+ bits, s=(?<selector>[^\s,]+), d=(?<domain>[^\s,]+)/.exec(entry)?.groups ?? {};
      const record = [...entry.matchAll(/^ {2}"([^"]*)"/gm)].map(([, part]) => part).join('');
      const publicKey = /p=([A-Za-z0-9+/=]+)$/.exec(record)?.[1];
      // One for domains of a pattern says of none for certain that it signs.
      if (domain === undefined || selector === undefined || publicKey === undefined) return [];
      if (domain !== '*' && !/^[\w.-]+$/.test(domain)) return [];
      return [{ domain: domain.toLowerCase(), selector, kind: 'rsa' as const, publicKey }];
    });
}
