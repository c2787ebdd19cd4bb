/** What a certificate says about itself, for people. */
import type { X509Certificate } from 'node:crypto';

export interface CertificateFacts {
  /** Host names it is valid for. */
  readonly names: readonly string[];
  /** Who vouches for it: the organisation, or its common name. */
  readonly issuer: string;
  /** Nobody vouches for it but itself. */
  readonly selfSigned: boolean;
  /** ISO 8601. */
  readonly expires: string;
}

export function describeCertificate(certificate: X509Certificate): CertificateFacts {
  const field = (name: string): string | undefined =>
    new RegExp(`^${name}=(.+)$`, 'm').exec(certificate.issuer)?.[1];
  return {
    names: hostNames(certificate),
    issuer: field('O') ?? field('CN') ?? '',
    selfSigned: certificate.issuer === certificate.subject,
    expires: new Date(certificate.validTo).toISOString(),
  };
}

/** The DNS names of the subjectAltName; of the subject only where there is no such extension (RFC 6125, 6.4.4). */
export function hostNames(certificate: X509Certificate): readonly string[] {
  const alternatives = certificate.subjectAltName;
  if (alternatives === undefined) {
    const common = /^CN=(.+)$/m.exec(certificate.subject)?.[1];
    return common === undefined ? [] : [common];
  }
  return alternatives
    .split(', ')
    .filter((name) => name.startsWith('DNS:'))
    .map((name) => name.slice('DNS:'.length));
}

/** Whether a certificate with these names is good for a host: the name itself, or a wildcard for its first label. */
export function coversName(names: readonly string[], host: string): boolean {
  const wanted = host.toLowerCase();
  const parent = wanted.slice(wanted.indexOf('.'));
  return names.some((name) => [wanted, `*${parent}`].includes(name.toLowerCase()));
}
