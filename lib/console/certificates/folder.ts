/**
 * The certificates the console offers for mail: pairs `<name>.crt` (or `.pem`) and `<name>.key` in one folder.
 *
 * The folder is root's; keys are closed to the console, which only sees that they are there. Whether a pair really fits
 * together is asked here when the key can be read, and by the privileged helper in any case.
 */
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { access, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { HostCertificate } from '../../contract.js';
import { hostNames } from '../../tls/certificate.js';

export const DEFAULT_CERTIFICATES = '/etc/mailserver/certificates';

const NAME = /^([A-Za-z0-9][A-Za-z0-9._-]{0,100})\.(crt|pem)$/;
/** Bytes; a chain of a few certificates is below 20 KB. */
const MAX_CHAIN_BYTES = 256 * 1024;

/** Pairs in the order of their names; empty when there is no such folder. */
export async function readCertificates(
  folder: string,
  now: Date = new Date(),
): Promise<readonly HostCertificate[]> {
  let files: string[];
  try {
    files = await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  const names = files.sort().flatMap((file) => {
    const id = NAME.exec(file)?.[1];
    return id === undefined
      ? []
      : [{ id, path: join(folder, file), key: join(folder, `${id}.key`) }];
  });
  return Promise.all(names.map((pair) => readPair(pair, now)));
}

async function readPair(
  pair: { readonly id: string; readonly path: string; readonly key: string },
  now: Date,
): Promise<HostCertificate> {
  let certificate: X509Certificate;
  try {
    const text = await readFile(pair.path);
    if (text.length > MAX_CHAIN_BYTES) throw new Error('too large for a certificate');
    certificate = new X509Certificate(text);
  } catch {
    const problem = 'certificate.problem.unreadable';
    return { id: pair.id, label: pair.id, names: [], expires: new Date(0), problem };
  }
  const names = hostNames(certificate);
  const expires = new Date(certificate.validTo);
  const problem = timeProblem(certificate, now) ?? (await keyProblem(certificate, pair.key));
  return { id: pair.id, label: names[0] ?? pair.id, names, expires, problem };
}

function timeProblem(certificate: X509Certificate, now: Date): string | null {
  if (now > new Date(certificate.validTo)) return 'certificate.problem.expired';
  return now < new Date(certificate.validFrom) ? 'certificate.problem.early' : null;
}

async function keyProblem(certificate: X509Certificate, path: string): Promise<string | null> {
  let key: Buffer;
  try {
    key = await readFile(path);
  } catch {
    const exists = await access(path).then(
      () => true,
      () => false,
    );
    return exists ? null : 'certificate.problem.keyMissing';
  }
  try {
    return certificate.checkPrivateKey(createPrivateKey(key))
      ? null
      : 'certificate.problem.keyOther';
  } catch {
    return 'certificate.problem.keyUnreadable';
  }
}
