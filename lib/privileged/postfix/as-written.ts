/** The configuration as it would be if only some of the hand edits had been made. */
import { runNative } from '../native.js';
import type { DriftEntry } from '../protocol.js';
import { POSTCONF, type ConfigView } from './config-view.js';

/** `undone` are edits in whose place stands what we wrote. For reading settings only. */
export async function withoutEdits(
  view: ConfigView,
  undone: readonly DriftEntry[],
): Promise<ConfigView> {
  const values = new Map<string, string>();
  const unset = new Set<string>();
  const services = new Map<string, string | null>();
  for (const { kind, name, ours } of undone) {
    if (kind === 'master') services.set(name, ours);
    if (kind === 'list') values.set(name, ours ?? '');
    if (kind !== 'parameter') continue;
    if (ours === null) unset.add(name);
    values.set(name, ours ?? (await defaultOf(view, name)));
  }
  return {
    ...view,
    get certificates() {
      return view.certificates ?? [];
    },
    get login() {
      return view.login ?? null;
    },
    parameter: (name) => values.get(name) ?? view.parameter(name),
    isSet: (name) => (values.has(name) ? !unset.has(name) : view.isSet(name)),
    masterService: (name) =>
      services.has(name) ? (services.get(name) ?? null) : view.masterService(name),
  };
}

async function defaultOf(view: ConfigView, name: string): Promise<string> {
  const answer = await runNative(POSTCONF, ['-c', view.paths.configDir, '-dh', name]);
  return answer.stdout.trim();
}
