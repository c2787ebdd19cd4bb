/** Why the database cannot be opened, for the person at the terminal: there is no page to show it on yet. */
export type DatabaseFault =
  | 'locked'
  | 'damaged'
  | 'no-space'
  | 'foreign-owner'
  | 'foreign-version'
  | 'unreachable'
  | 'unsuitable'
  | 'not-private';

export class DatabaseStartError extends Error {
  override readonly name = 'DatabaseStartError';

  constructor(
    readonly fault: DatabaseFault,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
