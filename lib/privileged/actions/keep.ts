/**
 * `keep`: hand edits that are to stay as they are, without becoming settings. From then on they count as what we left
 * there; nothing on the machine changes. A save that says something new about the same place still writes it.
 */
import Joi from 'joi';
import { editedMeanwhile } from '../apply/decided.js';
import { findDrift } from '../apply/drift.js';
import { presentValue } from '../apply/plan.js';
import { recover } from '../apply/recover.js';
import { ensurePrivateFolder } from '../files.js';
import { takeLock } from '../lock.js';
import { readConfig, type ConfigView } from '../postfix/config-view.js';
import { splitList } from '../postfix/list-value.js';
import type { DriftEntry } from '../protocol.js';
import { readState, writeState, type Written } from '../state.js';
import { defineAction } from './action.js';

export const keepAction = defineAction({
  timeoutMs: 150_000,
  changes: 'told',
  params: Joi.object<{ edits: Readonly<Record<string, string>> }>({
    /** Name to digest, as `drift` reported them. */
    edits: Joi.object()
      .pattern(Joi.string().max(256), Joi.string().hex().length(64))
      .min(1)
      .max(1_000)
      .required(),
  }),
  run: async ({ edits }, { paths, registry, changing }) => {
    await ensurePrivateFolder(paths.stateDir);
    const lock = await takeLock(`${paths.stateDir}/lock`);
    try {
      // What a killed save left half way is no hand edit, and would go with its way back.
      await recover(paths, await registry());
      const [view, state] = await Promise.all([
        readConfig(paths.configDir, paths),
        readState(paths),
      ]);
      const drift = await findDrift(state, view, paths, await registry());
      const kept = Object.entries(edits).map(([name, digest]) => {
        const entry = drift.find((one) => one.name === name && one.digest === digest);
        if (!entry || entry.kind === 'table') throw editedMeanwhile(name);
        return entry;
      });
      const written = kept.reduce((all, entry) => withKept(all, entry, view), state.written);
      await changing();
      await writeState(paths, { ...state, written });
      return { kept: kept.length };
    } finally {
      lock.release();
    }
  },
});

/** What is there is taken from the configuration itself: an entry may leave out what nobody is to see. */
function withKept(written: Written, { kind, name, digest }: DriftEntry, view: ConfigView): Written {
  switch (kind) {
    case 'parameter':
      return {
        ...written,
        parameters: { ...written.parameters, [name]: presentValue(view, name) },
      };
    case 'list': {
      const present = new Set(splitList(view.parameter(name)));
      const left = (written.lists[name] ?? []).filter((element) => present.has(element));
      return { ...written, lists: { ...written.lists, [name]: left } };
    }
    case 'master':
      return { ...written, master: { ...written.master, [name]: view.masterService(name) } };
    case 'file': {
      const stamps = { ...written.stamps };
      Reflect.deleteProperty(stamps, name);
      return { ...written, files: { ...written.files, [name]: digest }, stamps };
    }
    case 'directive':
      return { ...written, directives: { ...written.directives, [name]: view.directive(name) } };
    case 'table':
      return written;
  }
}
