/**
 * Taking over a mail server that somebody else set up: shows what was found, and on yes makes the machine's own settings
 * the saved ones. Nothing on the machine changes by that.
 */
import { createHash } from 'node:crypto';
import type { Knex } from 'knex';
import type { Change, Intent, Preview } from '../changes/change.js';
import type { Changes } from '../changes/service.js';
import { noHelper } from '../changes/failures.js';
import type { Helper } from '../client/helper.js';
import { UserError } from '../errors.js';
import type { Machine } from '../machine/service.js';
import type { Holding } from '../settings/holding.js';
import type { Finding } from './finding.js';

export interface TakeoverLook {
  readonly findings: readonly Finding[];
  /** Sections whose settings would become saved ones. */
  readonly open: readonly string[];
  /** Sections that have saved settings already. */
  readonly saved: readonly string[];
  /** What the pages will say; null when there is nothing to take over. */
  readonly preview: Preview | null;
  /** Stands for all of that: what somebody agreed to is this and nothing else. */
  readonly digest: string;
}

export interface TakeoverService {
  /** Throws `HelperError` when the helper is away, or Postfix cannot read its own configuration. */
  look(actor: string): Promise<TakeoverLook>;
  /** Throws `UserError` when the machine is not as it was shown, or saving would change something on it. */
  accept(digest: string, actor: string): Promise<Change>;
  /** Whether nothing was ever saved here, so that taking over is to be offered. */
  offered(): Promise<boolean>;
}

interface Seen {
  readonly settings: Readonly<Record<string, unknown>>;
  readonly edits: Readonly<Record<string, string>>;
}

export function createTakeoverService({
  db,
  helper,
  changes,
  machine,
  holdings,
}: {
  readonly db: Knex;
  readonly helper: Helper | null;
  readonly changes: Pick<Changes, 'save' | 'preview' | 'history'>;
  readonly machine: Machine;
  readonly holdings: readonly Holding[];
}): TakeoverService {
  const intentFor = (
    open: readonly Holding[],
    { settings, edits }: Pick<Seen, 'settings' | 'edits'>,
    actor: string,
  ): Intent => ({
    sections: open.map(({ section }) => section),
    title: { key: 'takeover.change', values: { count: open.length } },
    actor,
    // What nobody could have written on a page is told on it, and stays until somebody decides.
    leave: edits,
    write: async (trx) => {
      const touched = [];
      for (const holding of open) {
        // Somebody saved this page meanwhile: what they said counts.
        if ((await holding.read(trx)) !== null) throw meanwhile();
        const value = holding.fromMachine?.(settings[holding.section], null);
        touched.push(...(await holding.write(trx, value, actor)));
      }
      return touched;
    },
  });

  const survey = async (actor: string) => {
    if (helper === null) throw noHelper();
    const { findings, settings, edits } = await helper.call('takeover', {}, { actor });
    const saved: string[] = [];
    const open: Holding[] = [];
    for (const holding of holdings) {
      const { section } = holding;
      const known = settings[section] !== undefined;
      if (!known || (holding.fromMachine?.(settings[section], null) ?? null) === null) continue;
      if ((await holding.read(db)) === null) open.push(holding);
      else saved.push(section);
    }
    const digest = digestOf({ findings, saved, settings, edits });
    return { findings, settings, edits, saved, open, digest };
  };

  return {
    async look(actor) {
      const seen = await survey(actor);
      const { findings, saved, open, digest } = seen;
      const preview =
        open.length === 0 ? null : await changes.preview(intentFor(open, seen, actor));
      const names = open.map(({ section }) => section);
      return { findings, open: names, saved, preview, digest };
    },
    async accept(digest, actor) {
      const seen = await survey(actor);
      if (seen.open.length === 0) throw new UserError({ key: 'takeover.error.none', values: {} });
      if (seen.digest !== digest) throw meanwhile();
      const intent = intentFor(seen.open, seen, actor);
      const { result } = await changes.preview(intent);
      if (result.parameters.length + result.files.length > 0) {
        const names = [
          ...result.parameters.map(({ name }) => name),
          ...result.files.map(({ path }) => path),
        ];
        throw new UserError({ key: 'takeover.error.changes', values: { names: names.join(', ') } });
      }
      try {
        return await changes.save(intent);
      } finally {
        machine.forget();
      }
    },
    offered: async () => {
      const { changes: applied } = await changes.history({ state: 'applied' }, { limit: 1 });
      return applied.length === 0;
    },
  };
}

function meanwhile(): UserError {
  return new UserError({ key: 'takeover.error.meanwhile', values: {} });
}

/** Boxes are sealed anew at every look, so they stand for themselves and not for their bytes. */
function digestOf(seen: object): string {
  const text = JSON.stringify(seen, (_key, value: unknown) =>
    typeof value === 'string' && value.startsWith('mb1.') ? 'sealed' : value,
  );
  return createHash('sha256').update(text).digest('hex');
}
