/** Rows of `mail_domain_checks`: what the DNS said about a domain, and when. */
import type { Knex } from 'knex';
import type { DnsFindings } from './dns-check.js';
import { finding } from './finding.js';
import { toUnicodeDomain } from './schema.js';

const TABLE = 'mail_domain_checks';

export interface DomainCheck {
  readonly findings: DnsFindings;
  readonly at: Date;
}

interface CheckRow {
  readonly name: string;
  /** Rows of before there was a check of DKIM lack it. */
  readonly findings: Omit<DnsFindings, 'dkim'> & Partial<DnsFindings>;
  readonly checked_at: Date;
}

/** The last check of each domain that ever was checked. */
export async function readChecks(
  db: Knex,
  names: readonly string[],
): Promise<ReadonlyMap<string, DomainCheck>> {
  const rows = await db<CheckRow>(TABLE).whereIn('name', [...names]);
  return new Map(
    rows.map(({ name, findings, checked_at: at }) => {
      const dkim = finding('off', 'domains.check.dkim.unknown', { domain: toUnicodeDomain(name) });
      return [name, { findings: { dkim, ...findings }, at }];
    }),
  );
}

export async function writeCheck(db: Knex, name: string, check: DomainCheck): Promise<void> {
  await db(TABLE)
    .insert({ name, findings: JSON.stringify(check.findings), checked_at: check.at })
    .onConflict('name')
    .merge();
}

/** Forgets checks of domains that are no longer there. */
export async function forgetChecks(db: Knex, names: readonly string[]): Promise<void> {
  await db(TABLE)
    .whereIn('name', [...names])
    .delete();
}
