/** What the console may take of memory, whoever starts it. */

/** A new embedded database takes 800 MB while it is made; then the console stays far below. MiB. */
export const MAX_CONSOLE_MIB = 1_536;

/**
 * Half of it for what JavaScript holds, which is what Node would choose itself below the unit's limit. Where it sees all the
 * memory of the machine, it lets garbage pile up to four times of what is in use before it collects.
 */
export const CONSOLE_NODE_OPTIONS: readonly string[] = [
  '--enable-source-maps',
  `--max-old-space-size=${MAX_CONSOLE_MIB / 2}`,
];
