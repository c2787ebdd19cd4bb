/** Who may send outside without login: the list, adding with a second yes where it is due, notes, removing, self-check. */
import type { Knex } from 'knex';
import type { Change, Intent, Preview, TouchedRow } from '../changes/change.js';
import type { Changes } from '../changes/service.js';
import { noHelper } from '../changes/failures.js';
import type { RowKey } from '../changes/rows.js';
import type { Helper } from '../client/helper.js';
import { HelperError, NotFoundError, UserError } from '../errors.js';
import type { Machine, MachineView } from '../machine/service.js';
import type { ResultOf } from '../privileged/actions/index.js';
import type { Unclear } from '../sections/section.js';
import { containsNetwork, parseNetwork, type Network } from './network.js';
import { MAX_NETWORKS, type RelaySettings } from './schema.js';
import { isLoopback } from './section.js';
import { addNetworks, readNetworks, removeNetwork, writeNote, type NetworkRow } from './store.js';
import { addedTitle, adoptedTitle, noteTitle, removedTitle } from './words.js';

/** Beside saved networks the machine's view only explains, and may be this old. Milliseconds. */
const EXPLAINING_AGE_MS = 3_000;
const READING_AGE_MS = 1_000;

/** A self-check, and when it was. */
export interface CheckedRelay {
  readonly result: ResultOf<'relay-check'>;
  readonly at: Date;
}

/** A network as a page shows it. One that only the machine knows, because nothing was saved yet, has no row. */
export interface ListedNetwork {
  readonly network: string;
  readonly note: string;
  readonly row: NetworkRow | null;
}

export interface CurrentNetworks {
  readonly networks: readonly ListedNetwork[];
  readonly source: 'saved' | 'machine' | 'unknown';
  /** What else lets somebody in, or was written there wrongly: tables, exclusions, everybody. */
  readonly unclear: readonly Unclear[];
  /** Networks in force that are not in the list, because somebody added them by hand. */
  readonly byHand: readonly string[];
  readonly machine: MachineView | null;
  readonly failure: HelperError | null;
}

/** A row as it was shown, or a network that only the machine knows yet. */
export type NetworkTarget = RowKey | { readonly network: string };

/** Whether this is what lets strangers send: everybody, or more addresses than anybody owns. */
export function letsStrangersIn({ key }: Unclear): boolean {
  return key === 'relay.unclear.everyone' || key === 'relay.unclear.tooWide';
}

export interface RelayService {
  current(): Promise<CurrentNetworks>;
  /** `network` in canonical form. Throws `UserError` at the field `network`. */
  add(network: string, note: string, actor: string): Promise<Change>;
  previewAdd(network: string, note: string, actor: string): Promise<Preview>;
  note(target: NetworkTarget, note: string, actor: string): Promise<Change>;
  /** All of them or none. Throws `UserError` for this machine itself, `NotFoundError` when one is gone already. */
  remove(targets: readonly NetworkTarget[], actor: string): Promise<Change>;
  previewRemove(targets: readonly NetworkTarget[], actor: string): Promise<Preview>;
  /** Strangers try to send through the running Postfix. Throws `HelperError` when nobody can be asked. */
  check(actor: string): Promise<void>;
  /** The last answer; null before the first one. */
  lastCheck(): CheckedRelay | null;
}

export interface RelayParts {
  readonly db: Knex;
  readonly changes: Pick<Changes, 'save' | 'preview'>;
  readonly machine: Machine;
  readonly helper: Helper | null;
}

export function createRelayService({ db, changes, machine, helper }: RelayParts): RelayService {
  let last: CheckedRelay | null = null;

  const current = async (): Promise<CurrentNetworks> => {
    const saved = await readNetworks(db);
    const age = saved === null ? READING_AGE_MS : EXPLAINING_AGE_MS;
    const { view, failure } = await machine.look(age);
    const reading = view?.sections['relay'];
    const present = reading === undefined ? null : (reading.settings as RelaySettings).networks;
    const networks =
      saved?.map((row) => ({ network: row.network, note: row.note, row })) ??
      (present ?? []).map((network) => ({ network, note: '', row: null }));
    const listed = new Set(networks.map(({ network }) => network));
    return {
      networks,
      source: saved !== null ? 'saved' : present === null ? 'unknown' : 'machine',
      unclear: reading?.unclear ?? [],
      byHand: saved === null ? [] : (present ?? []).filter((network) => !listed.has(network)),
      machine: view,
      failure,
    };
  };

  const intent = (
    title: Intent['title'],
    actor: string,
    adopting: readonly string[],
    write: (trx: Knex.Transaction, rows: readonly NetworkRow[]) => Promise<readonly TouchedRow[]>,
  ): Intent => ({
    sections: ['relay'],
    title,
    actor,
    write: async (trx) => {
      const adopted: TouchedRow[] = [];
      if ((await readNetworks(trx)) === null) {
        const rows = adopting.map((network) => ({ network, note: '' }));
        adopted.push(...(await addNetworks(trx, rows, actor)));
      }
      const written = await write(trx, (await readNetworks(trx)) ?? []);
      return [...adopted, ...written];
    },
  });

  /** Before the first save the machine's own networks become the first entry of the history. */
  const adopt = async (actor: string): Promise<void> => {
    const { source, networks } = await current();
    if (source !== 'machine') return;
    const names = networks.map(({ network }) => network);
    await changes.save(intent(adoptedTitle(names.length), actor, names, () => Promise.resolve([])));
  };

  const save = async (wanted: Intent): Promise<Change> => {
    try {
      return await changes.save(wanted);
    } catch (error) {
      throw asProblem(error);
    } finally {
      // What a check said of the time before says nothing of now.
      last = null;
      machine.forget();
    }
  };

  const addition = (
    network: string,
    note: string,
    actor: string,
    adopting: readonly string[],
  ): Intent =>
    intent(addedTitle(network), actor, adopting, async (trx, rows) => {
      if (rows.length >= MAX_NETWORKS) {
        const values = { limit: MAX_NETWORKS };
        throw new UserError({ key: 'relay.problem.tooMany', values, field: 'network' });
      }
      if (rows.some((row) => row.network === network)) throw alreadyThere(network);
      return addNetworks(trx, [{ network, note }], actor);
    });

  const removal = (
    targets: readonly NetworkTarget[],
    names: readonly string[],
    adopting: readonly string[],
    actor: string,
  ): Intent =>
    intent(removedTitle(names), actor, adopting, async (trx, rows) => {
      const touched: TouchedRow[] = [];
      for (const target of targets) {
        touched.push(...(await removeNetwork(trx, keyOf(target, rows))));
      }
      return touched;
    });

  return {
    current,
    async add(network, note, actor) {
      await adopt(actor);
      return save(addition(network, note, actor, []));
    },
    async previewAdd(network, note, actor) {
      const { networks, source } = await current();
      const present = source === 'machine' ? networks.map((one) => one.network) : [];
      return changes.preview(addition(network, note, actor, present));
    },
    async note(target, note, actor) {
      const [name = ''] = namesOf([target], await current());
      await adopt(actor);
      return save(
        intent(noteTitle(name), actor, [], (trx, rows) =>
          writeNote(trx, keyOf(target, rows), note, actor),
        ),
      );
    },
    async remove(targets, actor) {
      const now = await current();
      const names = namesOf(targets, now);
      refuseLoopback(names, now);
      await adopt(actor);
      return save(removal(targets, names, [], actor));
    },
    async previewRemove(targets, actor) {
      const now = await current();
      const names = namesOf(targets, now);
      refuseLoopback(names, now);
      const present = now.networks.map(({ network }) => network);
      return changes.preview(removal(targets, names, present, actor));
    },
    async check(actor) {
      if (helper === null) throw noHelper();
      last = { result: await helper.call('relay-check', {}, { actor }), at: new Date() };
    },
    lastCheck: () => last,
  };
}

function namesOf(
  targets: readonly NetworkTarget[],
  { networks }: CurrentNetworks,
): readonly string[] {
  return targets.map((target) => {
    const found = networks.find(({ network, row }) =>
      'id' in target ? row?.id === target.id : network === target.network,
    );
    if (found === undefined) throw new NotFoundError('network');
    return found.network;
  });
}

function keyOf(target: NetworkTarget, rows: readonly NetworkRow[]): RowKey {
  if ('id' in target) return target;
  const row = rows.find(({ network }) => network === target.network);
  if (row === undefined) throw new NotFoundError(`network ${target.network}`);
  return row;
}

/** This machine must stay able to send; the helper would refuse it as well. */
function refuseLoopback(names: readonly string[], { networks }: CurrentNetworks): void {
  const kept = networks
    .filter(({ network }) => !names.includes(network))
    .flatMap(({ network }) => networkOf(network));
  const lost = names
    .filter(isLoopback)
    .flatMap(networkOf)
    .some((own) => !kept.some((network) => containsNetwork(network, own)));
  if (lost) throw new UserError({ key: 'relay.problem.loopback', values: {}, field: 'network' });
}

function networkOf(text: string): Network[] {
  const parsed = parseNetwork(text);
  return 'network' in parsed ? [parsed.network] : [];
}

function alreadyThere(network: string): UserError {
  return new UserError({ key: 'relay.problem.duplicate', values: { network }, field: 'network' });
}

/** What the helper refuses about a network, a person can put right. */
function asProblem(error: unknown): unknown {
  if (!(error instanceof HelperError) || !error.key.startsWith('relay.problem.')) return error;
  return new UserError({ key: error.key, values: {}, field: 'network' }, { cause: error });
}
