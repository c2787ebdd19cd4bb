/** Certificates for tests, made by openssl(1) on the spot. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface KeyPair {
  /** PEM. */
  readonly key: string;
  readonly cert: string;
}

export interface CertificateOptions {
  /** Host names it is valid for; the first one is its subject. */
  readonly names: readonly string[];
  /** Who signs it; itself when not given. */
  readonly issuer?: KeyPair;
  /** Whole days from now; 0 for one that has run out a second from now. */
  readonly days?: number;
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** A certificate authority of its own. */
export function makeAuthority(name: string): KeyPair {
  return inFolder((file) => {
    const output = ['-keyout', file('key'), '-out', file('cert')];
    openssl('req', '-x509', ...NEW_KEY, '-subj', `/CN=${name}`, '-days', '30', ...output);
    return { key: read(file('key')), cert: read(file('cert')) };
  });
}

export function makeCertificate({ names, issuer, days = 30 }: CertificateOptions): KeyPair {
  return inFolder((file) => {
    const subject = ['-subj', `/CN=${names[0] ?? ''}`];
    openssl('req', ...NEW_KEY, ...subject, '-keyout', file('key'), '-out', file('request'));
    const alternatives = names.map((name) => `DNS:${name}`).join(',');
    writeFileSync(file('extensions'), `subjectAltName=${alternatives}\n`);
    const input = ['-req', '-in', file('request'), '-extfile', file('extensions')];
    openssl('x509', ...input, '-days', String(days), '-out', file('cert'), ...signer(file, issuer));
    return { key: read(file('key')), cert: read(file('cert')) };
  });
}

function signer(file: (name: string) => string, issuer: KeyPair | undefined): string[] {
  if (!issuer) return ['-signkey', file('key')];
  writeFileSync(file('issuer.cert'), issuer.cert);
  writeFileSync(file('issuer.key'), issuer.key);
  return ['-CA', file('issuer.cert'), '-CAkey', file('issuer.key'), '-CAcreateserial'];
}

function openssl(...args: string[]): void {
  execFileSync('/usr/bin/openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

function read(file: string): string {
  return readFileSync(file, 'utf8');
}

function inFolder<T>(work: (file: (name: string) => string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'mailserver-certificate-'));
  try {
    return work((name) => join(folder, name));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
