/**
 * DNS checks of the local domains, one after the other in the background. Pages show the last answer with its age.
 */
import { Resolver } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import type { Knex } from 'knex';
import type { Log } from '../contract.js';
import { readChecks, writeCheck, type DomainCheck } from './check-store.js';
import type { Signing } from './dkim.js';
import { checkDomain, type CheckedServer } from './dns-check.js';
import type { DnsQueries } from './spf.js';

/** An answer older than this is asked for again when somebody looks. Milliseconds. */
const CHECK_LIFETIME_MS = 60 * 60 * 1000;
/** How long one query to the DNS may take, in milliseconds, and how often it is tried. */
const QUERY_TIMEOUT_MS = 3_000;
const QUERY_TRIES = 2;
/** Domains that may wait for their turn; more are left for the next look. */
const MAX_WAITING = 500;

export interface DomainChecks {
  /**
   * The last checks of these domains. Those that have none, or an old one, are checked in the background;
   * `pending` names them.
   */
  look(names: readonly string[]): Promise<{
    readonly checks: ReadonlyMap<string, DomainCheck>;
    readonly pending: ReadonlySet<string>;
  }>;
  /** Asks for a new check, however young the last one is. */
  renew(name: string): void;
  /** Resolves when nothing is waiting or under way any more. */
  idle(): Promise<void>;
  /** Gives up what waits, and ends queries under way. */
  close(): Promise<void>;
}

export interface ChecksParts {
  readonly db: Knex;
  readonly log: Log;
  readonly dns: DnsQueries & { cancel(): void };
  /** What this server says in HELO right now. */
  readonly serverName: () => Promise<string>;
  /** What this server signs; null while that is not known. Never rejects. */
  readonly signing: () => Promise<Signing | null>;
  readonly now?: () => Date;
}

/** Queries of the machine's own resolvers. */
export function systemDns(): DnsQueries & { cancel(): void } {
  return new Resolver({ timeout: QUERY_TIMEOUT_MS, tries: QUERY_TRIES });
}

export function createDomainChecks(parts: ChecksParts): DomainChecks {
  const { db, log, dns, serverName, signing, now = () => new Date() } = parts;
  const waiting = new Set<string>();
  let underWay: string | null = null;
  let worker: Promise<void> | null = null;
  let closed = false;

  const checkNext = async (name: string): Promise<void> => {
    const [own, signed] = await Promise.all([serverName(), signing()]);
    const server: CheckedServer = { name: own, addresses: ownAddresses(), signing: signed };
    const findings = await checkDomain(dns, name, server);
    if (!closed) await writeCheck(db, name, { findings, at: now() });
  };

  const work = async (): Promise<void> => {
    for (const name of waiting) {
      if (closed) break;
      waiting.delete(name);
      underWay = name;
      try {
        await checkNext(name);
      } catch (error) {
        log.warn({ err: error, domain: name }, 'a DNS check was lost');
      }
    }
    underWay = null;
  };

  const start = (): void => {
    worker ??= work().finally(() => {
      worker = null;
      if (waiting.size > 0 && !closed) start();
    });
  };

  const ask = (name: string): void => {
    if (closed || waiting.size >= MAX_WAITING || name === underWay) return;
    waiting.add(name);
    start();
  };

  return {
    async look(names) {
      const checks = await readChecks(db, names);
      const oldest = now().getTime() - CHECK_LIFETIME_MS;
      for (const name of names) {
        if ((checks.get(name)?.at.getTime() ?? 0) < oldest) ask(name);
      }
      const pending = names.filter((name) => waiting.has(name) || name === underWay);
      return { checks, pending: new Set(pending) };
    },
    renew: ask,
    async idle() {
      while (worker !== null) await worker;
    },
    async close() {
      closed = true;
      waiting.clear();
      dns.cancel();
      await worker;
    },
  };
}

function ownAddresses(): readonly string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal }) => !internal)
    .map(({ address }) => address);
}
