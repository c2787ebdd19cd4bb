/** What can be asked for on the pages of Security that takes long, by the names both sides use. Pure. */

/** What of the chain can be put right, in the order in which it is. */
export const REPAIRS = ['policy', 'group', 'freshclam', 'clamav', 'amavis'] as const;
export type Repair = (typeof REPAIRS)[number];

/** What can be fetched newer. */
export const UPDATES = ['signatures', 'rules'] as const;
export type Update = (typeof UPDATES)[number];

/** Scanners that can be sent something they have to find. */
export const SELF_TESTS = ['spam', 'virus'] as const;
export type SelfTest = (typeof SELF_TESTS)[number];
