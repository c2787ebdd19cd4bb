/**
 * The file that moves a database from one engine or version to another: JSON, one object a line, UTF-8.
 * A header, then for each table a line that names it and a line per row, then the sequences, then the end with the
 * counts and a digest of everything before it.
 */
import type { MigrationSet } from '../migrate.js';

export const FORMAT = 'mailserver-export';
export const FORMAT_VERSION = 1;

/** Longest line that is read, in bytes. */
export const MAX_LINE_BYTES = 64 * 1024 * 1024;

/** Rows that cross to or from the database at once. */
export const ROWS_AT_ONCE = 200;

export interface Header {
  readonly format: typeof FORMAT;
  readonly version: number;
  readonly at: string;
  /** Names of the migrations that made the tables, by the table that remembers them. */
  readonly migrations: Readonly<Record<string, readonly string[]>>;
}

export interface TableLine {
  readonly table: string;
  readonly columns: readonly string[];
}

export interface RowLine {
  readonly row: Readonly<Record<string, unknown>>;
}

export interface SequenceLine {
  readonly sequence: string;
  /** As text: it may be larger than a JSON number holds. */
  readonly last: string;
  readonly called: boolean;
}

export interface EndLine {
  readonly end: true;
  readonly counts: Readonly<Record<string, number>>;
  /** SHA-256, hexadecimal, of all bytes before this line. */
  readonly digest: string;
}

/** What belongs to an export: the tables of these sets. */
export interface TransferSet extends MigrationSet {
  /** Every table and sequence of the set begins with it, as `mail_`. */
  readonly prefix: string;
  /** Tables that live only as long as the processes that use them: made, but neither exported nor filled. */
  readonly passing: readonly string[];
}

/** Why a file was refused; nothing was imported. */
export class ImportError extends Error {
  override readonly name = 'ImportError';

  constructor(
    readonly line: number,
    message: string,
    options?: ErrorOptions,
  ) {
    super(`line ${line}: ${message}`, options);
  }
}
