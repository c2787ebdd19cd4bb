/** All daemons beside Postfix. Adding a feature with one adds a line here. */
import type { DaemonDefinition } from './daemons.js';
import { POLICY_SERVERS } from './policy-servers.js';
import { SCANNERS } from './scanners.js';

export const DAEMONS: readonly DaemonDefinition[] = [
  ...SCANNERS,
  ...POLICY_SERVERS.map(({ definition }) => definition),
];
