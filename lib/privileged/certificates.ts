/**
 * The machine's certificate folder: pairs `NAME.crt` (or `NAME.pem`) with `NAME.key`. Postfix is given the paths, so
 * that a renewed pair is in use without a save.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import type { MachineCertificate } from '../sections/section.js';
import { describeCertificate, type CertificateFacts } from '../tls/certificate.js';
import { CERTIFICATE_ID } from '../tls/schema.js';
import type { Paths } from './paths.js';

/** Largest file that is read as a certificate or key, in bytes. */
const MAX_FILE_BYTES = 256 * 1024;
/** Most pairs that are looked at. */
const MAX_PAIRS = 200;

/** The folder, fixed: a certificate is asked for by its name there, never by a path. */
export function certificateFolder(paths: Paths): string {
  return `${paths.root}/etc/mailserver/certificates`;
}

export interface FoundCertificate extends MachineCertificate {
  /** Null when it cannot be read. */
  readonly facts: CertificateFacts | null;
}

/** All pairs, good and bad, sorted by name. There are none in a folder that others than root can write. */
export function findCertificates(paths: Paths, now = new Date()): readonly FoundCertificate[] {
  const folder = certificateFolder(paths);
  if (!existsSync(folder) || !isOursAlone(folder)) return [];
  const pairs = new Map<string, FoundCertificate>();
  for (const name of readdirSync(folder).sort()) {
    const id = /^(.+)\.(?:crt|pem)$/.exec(name)?.[1] ?? '';
    if (!CERTIFICATE_ID.test(id) || pairs.has(id) || pairs.size >= MAX_PAIRS) continue;
    const chainFile = `${folder}/${name}`;
    const keyFile = `${folder}/${id}.key`;
    const certificate = readCertificate(chainFile);
    const fault = certificate === null ? 'unreadable' : faultOf(certificate, keyFile, now);
    const problem = fault === null ? null : `certificate.problem.${fault}`;
    const facts = certificate && describeCertificate(certificate);
    pairs.set(id, { id, chainFile, keyFile, problem, facts });
  }
  return [...pairs.values()];
}

type Fault = 'unreadable' | 'keyMissing' | 'keyUnreadable' | 'keyOther' | 'expired' | 'early';

/** Null for what is no certificate of ours. */
export function readCertificate(file: string): X509Certificate | null {
  try {
    return new X509Certificate(readSmall(file));
  } catch {
    return null;
  }
}

function faultOf(certificate: X509Certificate, keyFile: string, now: Date): Fault | null {
  if (new Date(certificate.validTo) < now) return 'expired';
  if (new Date(certificate.validFrom) > now) return 'early';
  if (!existsSync(keyFile)) return 'keyMissing';
  try {
    const fits = certificate.checkPrivateKey(createPrivateKey(readSmall(keyFile)));
    return fits ? null : 'keyOther';
  } catch {
    return 'keyUnreadable';
  }
}

/** A small file of root's; a link may lead to another place, as ACME clients make them, if only root can write there. */
function readSmall(file: string): string {
  const real = realpathSync(file);
  if (!isOursAlone(real) || statSync(real).size > MAX_FILE_BYTES) throw new RangeError('not ours');
  return readFileSync(real, 'utf8');
}

function isOursAlone(file: string): boolean {
  const { uid, mode } = statSync(file);
  return uid === process.getuid?.() && (mode & 0o022) === 0;
}
