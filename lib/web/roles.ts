import type { Role, SignedInUser } from '../contract.js';

/** Weakest first: each role may do what the ones before it may. */
const ROLES: readonly Role[] = ['mail.read', 'mail.operate', 'mail.admin'];

/** Whether somebody has the role, or a stronger one. For what a page offers; the routes ask the host. */
export function mayAct(user: SignedInUser, role: Role): boolean {
  return ROLES.slice(ROLES.indexOf(role)).some((enough) => user.roles.includes(enough));
}
