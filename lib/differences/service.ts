/** What was edited by hand since we wrote it, and what becomes of it: kept, taken into the settings, or overwritten. */
import type { Change } from '../changes/change.js';
import type { Changes } from '../changes/service.js';
import type { Helper } from '../client/helper.js';
import { noHelper } from '../changes/failures.js';
import { UserError } from '../errors.js';

/** One hand edit, as the helper reports it. */
export interface HandEdit {
  readonly kind: 'parameter' | 'list' | 'master' | 'table' | 'file';
  readonly section: string;
  readonly name: string;
  /** What the settings say; null: nothing, or nothing that can be shown. */
  readonly ours: string | null;
  readonly theirs: string | null;
  readonly digest: string;
}

export type Decision = 'keep' | 'take' | 'overwrite';

/** By section: takes the hand edits of a section into its settings; null when they say so already. */
export type TakeIn = (
  edits: Readonly<Record<string, string>>,
  actor: string,
) => Promise<Change | null>;

export interface DifferencesService {
  /** Throws `HelperError` when the helper is away. */
  list(): Promise<readonly HandEdit[]>;
  canTake(section: string): boolean;
  /** All chosen edits must be as they were shown (`digest`). Throws `UserError` when one is not. */
  decide(
    decision: Decision,
    chosen: readonly { readonly name: string; readonly digest: string }[],
    actor: string,
  ): Promise<void>;
}

export function createDifferencesService(parts: {
  readonly helper: Helper | null;
  readonly changes: Pick<Changes, 'save'>;
  readonly takers: ReadonlyMap<string, TakeIn>;
}): DifferencesService {
  const { helper, changes, takers } = parts;

  const list = async (): Promise<readonly HandEdit[]> => {
    if (helper === null) throw noHelper();
    return helper.call('drift', {}, { actor: 'pages' });
  };

  const overwrite = async (
    sections: readonly string[],
    edits: Readonly<Record<string, string>>,
    actor: string,
  ): Promise<void> => {
    const title = {
      key: 'differences.change.overwrite',
      values: { names: Object.keys(edits).join(', ') },
    };
    await changes.save({
      sections,
      title,
      actor,
      overwrite: edits,
      write: () => Promise.resolve([]),
    });
  };

  const take = async (
    sections: readonly string[],
    edits: Readonly<Record<string, string>>,
    actor: string,
  ): Promise<void> => {
    for (const section of sections) {
      const taker = takers.get(section);
      if (!taker) throw new UserError({ key: 'differences.error.cannotTake', values: {} });
      await taker(edits, actor);
    }
  };

  return {
    list,
    canTake: (section) => takers.has(section),
    async decide(decision, chosen, actor) {
      if (helper === null) throw noHelper();
      const found = await list();
      const wanted = chosen.map(({ name, digest }) => {
        const edit = found.find((one) => one.name === name && one.digest === digest);
        if (!edit) throw new UserError({ key: 'differences.error.meanwhile', values: { name } });
        return edit;
      });
      if (wanted.length === 0) throw new UserError({ key: 'differences.error.none', values: {} });
      const edits = Object.fromEntries(wanted.map(({ name, digest }) => [name, digest]));
      const sections = [...new Set(wanted.map(({ section }) => section))];
      switch (decision) {
        case 'keep':
          await helper.call('keep', { edits }, { actor });
          return;
        case 'overwrite':
          await overwrite(sections, edits, actor);
          return;
        case 'take':
          await take(sections, edits, actor);
      }
    },
  };
}
