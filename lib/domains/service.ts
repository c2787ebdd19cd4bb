/**
 * The local domains: what is accepted and delivered here, adding, removing, and what a removal takes away.
 */
import type { Knex } from 'knex';
import type { Change, Intent, Preview, TouchedRow } from '../changes/change.js';
import type { Changes } from '../changes/service.js';
import type { Directory } from '../contract.js';
import { NotFoundError, UserError, type HelperError } from '../errors.js';
import type { Machine, MachineView } from '../machine/service.js';
import type { RowKey } from '../changes/rows.js';
import { forgetChecks } from './check-store.js';
import { isMailDomain, MAX_DOMAINS, toUnicodeDomain, type DomainSettings } from './schema.js';
import { addDomains, readDomains, removeDomain, takenNames, type DomainRow } from './store.js';
import { isPerson } from '../person.js';
import type { Words } from '../words.js';
import { addedTitle, adoptedTitle, removedTitle } from './words.js';

/** Beside saved domains the machine's view only explains, and may be this old. Milliseconds. */
const EXPLAINING_AGE_MS = 3_000;
const READING_AGE_MS = 1_000;

const LOCALHOST = 'localhost';

/** A domain as a page shows it. One that only the machine knows, because nothing was saved yet, has no row. */
export interface ListedDomain {
  readonly name: string;
  readonly row: DomainRow | null;
}

export interface CurrentDomains {
  readonly domains: readonly ListedDomain[];
  readonly source: 'saved' | 'machine' | 'unknown';
  /** What else the machine takes mail for, such as `$myhostname`: not ours to change. */
  readonly others: readonly string[];
  /** No domain that mail from elsewhere could name: groupware resources need a real domain. */
  readonly onlyLocalhost: boolean;
  readonly machine: MachineView | null;
  readonly failure: HelperError | null;
}

/** A part of the product that names domains, and says what it loses with them. */
export type DomainUse = (names: readonly string[]) => Promise<readonly Words[]>;

/** A row as it was shown, or the name of a domain that only the machine knows yet. */
export type DomainTarget = RowKey | { readonly name: string };

export interface DomainsService {
  /** `lately`: as the machine was a moment ago, for pages that do not wait for the helper. */
  current(when?: 'now' | 'lately'): Promise<CurrentDomains>;
  /** `name` in A-labels. Throws `UserError` at the field `name`. */
  add(name: string, actor: string): Promise<Change>;
  previewAdd(name: string, actor: string): Promise<Preview>;
  /** All of them or none. Throws `NotFoundError` when one is gone already. */
  remove(targets: readonly DomainTarget[], actor: string): Promise<Change>;
  previewRemove(targets: readonly DomainTarget[], actor: string): Promise<Preview>;
  /** Which aliases, queries and users lose what when these domains go. */
  losses(names: readonly string[]): Promise<readonly Words[]>;
}

export interface DomainsParts {
  readonly db: Knex;
  readonly changes: Pick<Changes, 'save' | 'preview'>;
  readonly machine: Machine;
  readonly uses: readonly DomainUse[];
}

export function createDomainsService(parts: DomainsParts): DomainsService {
  const { db, changes, machine, uses } = parts;

  const current = async (when: 'now' | 'lately' = 'now'): Promise<CurrentDomains> => {
    const saved = await readDomains(db);
    const age = saved === null ? READING_AGE_MS : EXPLAINING_AGE_MS;
    const look = when === 'now' ? machine.look(age) : machine.glance(age);
    const { view, failure } = await look;
    const present = machineNames(view);
    const domains =
      saved?.map((row) => ({ name: row.name, row })) ??
      (present ?? []).map((name) => ({ name, row: null }));
    return {
      domains,
      source: saved !== null ? 'saved' : present === null ? 'unknown' : 'machine',
      others: otherDestinations(view, domains),
      onlyLocalhost: !domains.some(({ name }) => isMailDomain(name)),
      machine: view,
      failure,
    };
  };

  /** Before the first save the machine's own domains become the first entry of the history. */
  const adopt = async (actor: string): Promise<void> => {
    const { source, domains } = await current();
    if (source !== 'machine') return;
    const names = domains.map(({ name }) => name);
    await changes.save({
      sections: ['domains'],
      title: adoptedTitle(names.length),
      actor,
      write: async (trx) =>
        (await readDomains(trx)) === null ? addDomains(trx, names, actor) : [],
    });
  };

  const addition = (name: string, actor: string, adopting: readonly string[]): Intent => ({
    sections: ['domains'],
    title: addedTitle(name),
    actor,
    write: async (trx) => {
      const before = await readDomains(trx);
      refuseAddition(name, (before?.length ?? adopting.length) + 1);
      const taken = before === null ? adopting : await takenNames(trx, [name]);
      if (taken.includes(name)) throw alreadyThere(name);
      return addDomains(trx, before === null ? [...adopting, name] : [name], actor);
    },
  });

  const removal = (
    targets: readonly DomainTarget[],
    names: readonly string[],
    adopting: readonly string[],
    actor: string,
  ): Intent => ({
    sections: ['domains'],
    title: removedTitle(names),
    actor,
    write: async (trx) => {
      const touched: TouchedRow[] = [];
      if ((await readDomains(trx)) === null)
        touched.push(...(await addDomains(trx, adopting, actor)));
      const rows = (await readDomains(trx)) ?? [];
      for (const target of targets) {
        touched.push(...(await removeDomain(trx, keyOf(target, rows))));
      }
      return touched;
    },
  });

  return {
    current,
    async add(name, actor) {
      refuseAddition(name, 0);
      const { domains } = await current();
      if (domains.some((domain) => domain.name === name)) throw alreadyThere(name);
      await adopt(actor);
      return changes.save(addition(name, actor, []));
    },
    async previewAdd(name, actor) {
      const { domains, source } = await current();
      const present = source === 'machine' ? domains.map((domain) => domain.name) : [];
      return changes.preview(addition(name, actor, present));
    },
    async remove(targets, actor) {
      const names = namesOf(targets, await current());
      await adopt(actor);
      const change = await changes.save(removal(targets, names, [], actor));
      await forgetChecks(db, names);
      return change;
    },
    async previewRemove(targets, actor) {
      const now = await current();
      const present = now.domains.map(({ name }) => name);
      return changes.preview(removal(targets, namesOf(targets, now), present, actor));
    },
    losses: async (names) => (await Promise.all(uses.map((use) => use(names)))).flat(),
  };
}

/** What the users of the appliance lose: their address at the domain. */
export function directoryUse(directory: Directory): DomainUse {
  return async (names) => {
    const people = (await directory.users()).filter(isPerson);
    const logins = people.map(({ login }) => login);
    if (logins.length === 0) return [];
    return names.map((name) => ({
      key: 'domains.loss.users',
      values: {
        count: logins.length,
        domain: toUnicodeDomain(name),
        address: `${logins[0] ?? ''}@${toUnicodeDomain(name)}`,
      },
    }));
  };
}

function namesOf(targets: readonly DomainTarget[], { domains }: CurrentDomains): readonly string[] {
  return targets.map((target) => {
    const found = domains.find(({ name, row }) =>
      'id' in target ? row?.id === target.id : name === target.name,
    );
    if (found === undefined) throw new NotFoundError('domain');
    return found.name;
  });
}

function keyOf(target: DomainTarget, rows: readonly DomainRow[]): RowKey {
  if ('id' in target) return target;
  const row = rows.find(({ name }) => name === target.name);
  if (row === undefined) throw new NotFoundError(`domain ${target.name}`);
  return row;
}

function refuseAddition(name: string, count: number): void {
  if (name === LOCALHOST) {
    throw new UserError({ key: 'domains.problem.localhost', values: {}, field: 'name' });
  }
  if (count > MAX_DOMAINS) {
    const values = { limit: MAX_DOMAINS };
    throw new UserError({ key: 'domains.problem.tooMany', values, field: 'name' });
  }
}

function alreadyThere(name: string): UserError {
  const values = { domain: toUnicodeDomain(name) };
  return new UserError({ key: 'domains.problem.duplicate', values, field: 'name' });
}

function machineNames(view: MachineView | null): readonly string[] | null {
  const reading = view?.sections['domains'];
  return reading === undefined ? null : (reading.settings as DomainSettings).names;
}

/** Elements of `mydestination` that are not among the listed domains. */
function otherDestinations(
  view: MachineView | null,
  domains: readonly ListedDomain[],
): readonly string[] {
  const listed = new Set(domains.flatMap(({ name }) => [name, toUnicodeDomain(name)]));
  const present = view?.effective['mydestination'] ?? '';
  return present.split(/[\s,]+/).filter((element) => element !== '' && !listed.has(element));
}
