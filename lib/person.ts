import type { DirectoryUser } from './contract.js';

/** Whether mail to this user is read by somebody: one who has a mailbox, and is no service. */
export function isPerson({
  hasMailbox,
  system,
}: Pick<DirectoryUser, 'hasMailbox' | 'system'>): boolean {
  return hasMailbox && !system;
}
