/**
 * What a section is: one part of the settings, and how it becomes configuration. Pure: both sides of the border use it.
 *
 * A section owns its `main.cf` parameters, `master.cf` services, tables and files alone; two sections that claim the
 * same one are a start-up error. Parameters that several features need are lists with ordered slots (see `slots.ts`).
 */
import type Joi from 'joi';

/** Every section's settings by section id, as the helper last applied them, plus the ones of this request. */
export type AllSettings = Readonly<Record<string, unknown>>;

/** What a section may know of the machine while it renders or reads. */
export interface SystemView {
  /** The effective value of a `main.cf` parameter (defaults included, `$name` not expanded). */
  readonly parameter: (name: string) => string;
  /** Whether `main.cf` itself sets the parameter. */
  readonly isSet: (name: string) => boolean;
  /** A `master.cf` entry's command and options as `postconf -M` prints it; null when there is none. `name` is `smtp/inet`. */
  readonly masterService: (name: string) => string | null;
  /** Absolute paths of this instance (a private root has its own). */
  readonly paths: {
    readonly configDir: string;
    readonly queueDir: string;
    readonly stateDir: string;
  };
  /** A port of this instance; a private root has ports of its own. */
  readonly port: (name: InnerPort) => number;
  /** The Postfix version, such as `3.7.11`. */
  readonly postfixVersion: string;
  /** Opens a sealed secret for rendering; throws a `RangeError` when the box is bound to something else. */
  readonly open?: (box: string, binding: readonly string[]) => string;
  /** Seals a secret that was found on the machine, so that the web side can keep it unseen. */
  readonly seal?: (secret: string, binding: readonly string[]) => string;
  /** What the lookup tables a parameter names say about a key; null when they have nothing, or cannot be asked. */
  readonly lookup?: (parameter: string, key: string) => string | null;
  /** The pairs in the machine's certificate folder. */
  readonly certificates?: readonly MachineCertificate[];
  /** Whether a program is there, by its absolute path. */
  readonly installed?: (program: string) => boolean;
  /** Who can check the passwords of people; null when nobody does. */
  readonly login?: LoginService | null;
}

/** A certificate with its key, as the privileged side found it. */
export interface MachineCertificate {
  readonly id: string;
  /** The certificate and those that signed it, PEM. */
  readonly chainFile: string;
  readonly keyFile: string;
  /** Why it cannot be used, as a translation key; null when it can. */
  readonly problem: string | null;
}

/** A daemon that checks passwords for Postfix (SASL_README). */
export type LoginService =
  | { readonly kind: 'dovecot'; /** As `smtpd_sasl_path` wants it. */ readonly path: string }
  | { readonly kind: 'saslauthd'; readonly path: string; readonly configFolder: string };

/** The seven `master.cf` columns after the service name, and the command with its `-o` options (master(5)). */
export interface MasterService {
  readonly type: 'inet' | 'unix' | 'pass' | 'fifo';
  readonly private: 'y' | 'n' | '-';
  readonly unprivileged: 'y' | 'n' | '-';
  readonly chroot: 'y' | 'n' | '-';
  readonly wakeup: string;
  readonly maxproc: string;
  readonly command: string;
  /** `-o name=value`, in order. */
  readonly options: readonly (readonly [name: string, value: string])[];
}

/** A lookup table built by `postmap` as lmdb. Keys fold to lower case; values hold no newline. */
export interface TableContent {
  readonly entries: Iterable<readonly [key: string, value: string]>;
  /** Secret tables are 0600, rebuilt whole, never changed in place. */
  readonly secret: boolean;
}

/** An element that a feature puts into a shared list parameter; `slot` decides the order. */
export interface SlotEntry {
  readonly slot: string;
  readonly value: string;
}

/** A whole file that is ours (its first line says so). */
export interface OwnFile {
  readonly content: string;
  readonly mode: 0o600 | 0o640 | 0o644;
  /** User and group names; root unless a daemon must read a file that others must not. */
  readonly owner?: string;
  readonly group?: string;
  /** Its content never appears in a diff or a report. */
  readonly secret?: boolean;
  /**
   * All that the content follows from, in a form that holds no secret: the same recipe means the same content. It spares
   * making contents that take long to make, which then have to be getters.
   */
  readonly recipe?: string;
  /**
   * The same for the program that wrote it, and cheaper still: with the same part of the settings (`===`) and the same
   * `around` of the section it would write the same again.
   */
  readonly madeOf?: unknown;
}

/** Ports of an instance: between the daemons, on loopback, and those for mail programs, which are 587 and 465 on a machine. */
export type InnerPort =
  | 'fetchmailIn'
  | 'amavisIn'
  | 'amavisFetched'
  | 'amavisBack'
  | 'amavisProxy'
  | 'amavisProxyBack'
  | 'amavisProbe'
  | 'policy'
  | 'blockLists'
  | 'submission'
  | 'submissions';

export interface SectionOutput {
  /** `null` removes the parameter, so that Postfix' default holds. */
  readonly parameters?: Readonly<Record<string, string | null>>;
  /** Our elements of shared list parameters; foreign elements keep their place. */
  readonly lists?: Readonly<Record<string, readonly SlotEntry[]>>;
  /** By `name/type`, as `smtp/inet`; `null` removes the service. */
  readonly master?: Readonly<Record<string, MasterService | null>>;
  /** `-o` options of ours on services that are not (`null` removes the option). By `name/type`. */
  readonly masterOptions?: Readonly<Record<string, Readonly<Record<string, string | null>>>>;
  /** By table name; the file is `<configDir>/mailserver.d/<name>`. */
  readonly tables?: Readonly<Record<string, TableContent>>;
  /** By path relative to this instance's root. */
  readonly files?: Readonly<Record<string, OwnFile | null>>;
  /** All that files follow from besides what they are `madeOf`. */
  readonly around?: string;
  /** Lines of ours, `Name value`, in files that are not (clamd.conf(5)); by path, then by name. */
  readonly directives?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** A daemon beside Postfix that the settings of a section need. */
export interface DaemonNeed {
  /** Its name, as the privileged side knows it. */
  readonly daemon: string;
  readonly wanted: boolean;
  /** Whether a change fails when it does not answer. */
  readonly proved: boolean;
}

/** One entry of a table; a `null` value takes the key away. */
export interface ContentsLine {
  readonly table: string;
  readonly key: string;
  readonly value: string | null;
}

/**
 * What a section keeps by key in all of its tables, besides its settings: there may be 300,000 entries, so only those
 * that change cross the border, and only these are rendered, validated and asked back.
 */
export interface SectionContents {
  /** What may cross as one entry. Anything else is refused; written by hand, for speed. */
  accepts(key: unknown, entry: unknown): boolean;
  /** What rendering depends on besides the entry; when it changes, all are rendered anew. `last` is what it was. */
  context(all: AllSettings, system: SystemView, last: string | null): string;
  /** The table lines of one entry, `null` for one that goes. The key alone decides which table keys there are. */
  render(key: string, entry: unknown, context: string): readonly ContentsLine[];
  /** An address that Postfix must accept when the entry is there: the proof of a change. */
  recipient?(key: string, context: string): string | null;
}

/** Something in the present configuration that the section's form cannot express. */
export interface Unclear {
  readonly parameter: string;
  readonly value: string;
  /** Translation key that says why. */
  readonly key: string;
}

/** How risky a change of this section is; `delivery` is proved on a shadow instance with a delivered message first. */
export type Danger = 'none' | 'delivery';

export interface Section<Settings = unknown> {
  readonly id: string;
  /** Sections whose settings its output depends on: when one of them changes, this one is rendered anew as well. */
  readonly follows?: readonly string[];
  /** Refuses unknown keys, control characters and anything a form would refuse. Used on both sides. */
  readonly schema: Joi.ObjectSchema<Settings>;
  readonly owns: {
    readonly parameters: readonly string[];
    /** List parameters it puts entries into. */
    readonly lists: readonly string[];
    /** `master.cf` services as `smtp/inet`; `{amavisIn}` stands for that inner port of the instance. */
    readonly master: readonly string[];
    /** `-o` options on services that are not ours, as `smtp/inet/content_filter`. */
    readonly options?: readonly string[];
    readonly tables: readonly string[];
    readonly files: readonly string[];
    /** Folders below this instance's root in which every file is ours; what is rendered no more is removed. */
    readonly folders?: readonly string[];
    /** Files that are not ours in which it has lines. */
    readonly directives?: readonly string[];
    /**
     * Neither Postfix nor anybody whom it asks or gives mail to reads its files: where nothing but files changes, Postfix
     * has nothing to prove.
     */
    readonly filesApart?: true;
  };
  /** Daemons these settings need, in the order in which they are started; they read what the section's files say. */
  daemons?(settings: Settings): readonly DaemonNeed[];
  render(settings: Settings, system: SystemView, all: AllSettings): SectionOutput;
  /** The inverse of `render`: what the present configuration means in this section's words. */
  read(system: SystemView): { readonly settings: Settings; readonly unclear: readonly Unclear[] };
  danger?(before: Settings | null, after: Settings): Danger;
  /**
   * Where all of the settings is one list of rows, each with an `id` that is a number as text: the name of the list, and how
   * many rows there may be. A change then crosses the border as the rows that change.
   */
  readonly rows?: { readonly list: string; readonly most: number };
  /** With contents, all tables of the section are theirs, and `render` gives none. */
  readonly contents?: SectionContents;
  /**
   * What no one may do in one step from `before`, whatever the schema says of `after` alone: asked on the root side, so
   * that a web side that was taken over cannot leave it out.
   */
  refuses?(before: Settings | null, after: Settings, system: SystemView): Refusal | null;
  /** Whether an element of a shared list is of this section's kind, whoever wrote it: then it is a hand edit. */
  claims?(list: string, element: string): boolean;
}

/** Why a change is refused: a translation key, and the field it is about. */
export interface Refusal {
  readonly field: string;
  readonly key: string;
}
