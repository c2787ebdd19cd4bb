/** All that the rules of taking over may look at: the configuration as Postfix understands it, and as it is written. */
import type { Section, SystemView } from '../sections/section.js';
import type { Place } from './finding.js';

/** One setting as it is written in main.cf; the same name may come several times. */
export interface WrittenParameter {
  readonly name: string;
  readonly value: string;
  readonly where: Place;
}

/** One service as it is written in master.cf. */
export interface WrittenService {
  /** `smtp/inet` */
  readonly name: string;
  readonly command: string;
  readonly where: Place;
  readonly options: readonly WrittenParameter[];
}

/** One entry of an alias file or table. */
export interface WrittenAlias {
  readonly name: string;
  readonly targets: readonly string[];
  readonly where: Place;
}

/** A table that aliases come from, with its entries where they can be read. */
export interface AliasTable {
  /** `alias_maps`: local(8) asks it. `virtual_alias_maps`: asked before every mailbox. */
  readonly parameter: 'alias_maps' | 'virtual_alias_maps';
  /** As it stands in the list: `hash:/etc/aliases`. */
  readonly element: string;
  readonly type: string;
  /** Null when it is no file of plain entries: patterns, a database, nothing there. */
  readonly entries: readonly WrittenAlias[] | null;
  /** More entries than were read. */
  readonly cut: boolean;
}

export interface Inventory {
  readonly sections: readonly Section[];
  readonly system: SystemView;
  readonly main: readonly WrittenParameter[];
  readonly master: readonly WrittenService[];
  /** Names in main.cf that mean nothing to Postfix. */
  readonly unused: ReadonlySet<string>;
  /** Names of parameters Postfix has. */
  readonly known: ReadonlySet<string>;
  /** Kinds of tables this Postfix can read. */
  readonly tableTypes: ReadonlySet<string>;
  readonly aliasTables: readonly AliasTable[];
  readonly exists: (path: string) => boolean;
}

/** The last place where main.cf sets a parameter; null when it does not. */
export function writtenIn({ main }: Inventory, name: string): WrittenParameter | null {
  return main.findLast((one) => one.name === name) ?? null;
}
