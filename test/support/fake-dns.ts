/** A DNS in memory for tests: zones by name, everything else does not exist. Nothing ever leaves the machine. */
import type { DnsQueries } from '../../lib/domains/spf.js';

export interface Zone {
  readonly mx?: readonly (readonly [priority: number, exchange: string])[];
  readonly txt?: readonly string[];
  readonly a?: readonly string[];
  readonly aaaa?: readonly string[];
  /** Names of an address. */
  readonly ptr?: readonly string[];
  /** Every question fails with this code instead. */
  readonly fails?: string;
}

export interface FakeDns extends DnsQueries {
  /** Names asked for, in order. */
  readonly asked: string[];
  cancel(): void;
}

export function fakeDns(zones: Readonly<Record<string, Zone>>): FakeDns {
  const asked: string[] = [];
  const answer = async <T>(
    name: string,
    pick: (zone: Zone) => readonly T[] | undefined,
  ): Promise<readonly T[]> => {
    await Promise.resolve();
    asked.push(name);
    const zone = zones[name];
    if (zone === undefined) throw dnsError('ENOTFOUND', name);
    if (zone.fails !== undefined) throw dnsError(zone.fails, name);
    const records = pick(zone);
    if (records === undefined) throw dnsError('ENODATA', name);
    return records;
  };
  return {
    asked,
    resolveMx: (name) =>
      answer(name, ({ mx }) => mx?.map(([priority, exchange]) => ({ priority, exchange }))),
    resolveTxt: (name) =>
      answer(name, ({ txt }) => txt?.map((text) => [text.slice(0, 10), text.slice(10)])),
    resolve4: (name) => answer(name, ({ a }) => a),
    resolve6: (name) => answer(name, ({ aaaa }) => aaaa),
    reverse: (address) => answer(address, ({ ptr }) => ptr),
    cancel: () => undefined,
  };
}

function dnsError(code: string, name: string): Error {
  return Object.assign(new Error(`query ${code} ${name}`), { code });
}
