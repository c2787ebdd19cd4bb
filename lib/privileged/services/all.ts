/** All daemons beside Postfix. Adding a feature with one adds a line here. */
import type { DaemonDefinition } from './daemons.js';
import { POLICY_SERVERS } from './policy-servers.js';
import { SCANNERS } from './scanners.js';

export const DAEMONS: readonly DaemonDefinition[] = [
  ...SCANNERS,
  ...POLICY_SERVERS.map(({ definition }) => definition),
];

/** Throws for a name that no feature has: a section that says so is our bug. */
export function definitionOf(name: string): DaemonDefinition {
  const found = DAEMONS.find((one) => one.name === name);
  if (!found) throw new Error(`no daemon ${name}`);
  return found;
}
