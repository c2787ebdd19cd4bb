/**
 * The lines that cross the border between web side and privileged helper. JSON, one object a line, UTF-8.
 *
 * Web to helper: one `Request`; for actions that take a stream, then `{"item": ...}` lines and `{"end": true}`. An item that
 * is a list may also be a line of its own (`ListItem`).
 * Before it a `Standby` line may come, when a request is likely soon: the helper loads what it needs, and waits.
 * `{"cancel": true}`, or closing the connection, cancels an action that can be cancelled.
 * Helper to web: any number of `{"progress": ...}` and `{"alive": true}`, then exactly one `{"result": ...}` or
 * `{"error": ...}`.
 */
import type { HelperProgress } from '../contract.js';
import type { HelperFailure } from '../errors.js';

export const PROTOCOL_VERSION = 2;

/** Longest line either side accepts, in bytes. */
export const MAX_LINE_BYTES = 4 * 1024 * 1024;

/** How long the helper waits for the first line, in milliseconds. */
export const REQUEST_TIMEOUT_MS = 10_000;

/** How long it waits for a request that it was told to expect, in milliseconds. */
export const STANDBY_TIMEOUT_MS = 330_000;

/** Somebody may ask for this action soon: whoever has a form open, say. */
export interface Standby {
  readonly protocol: typeof PROTOCOL_VERSION;
  readonly standby: string;
}

export interface Request {
  readonly protocol: typeof PROTOCOL_VERSION;
  readonly action: string;
  /** Login of the person who asks, as the web side tells it. For the audit log only. */
  readonly actor: string;
  readonly params: Readonly<Record<string, unknown>>;
}

export type RequestItem =
  | { readonly item: unknown }
  | readonly unknown[]
  | { readonly end: true }
  | { readonly cancel: true };

/** An item that was a line of its own, with that line: whoever keeps it as text need not make the text again. */
export class ListItem {
  constructor(
    readonly list: readonly unknown[],
    /** `[` ... `]`, without its newline. */
    readonly line: Buffer,
  ) {}
}

/** How often the helper gives a sign of life while it works, in milliseconds. */
export const ALIVE_EVERY_MS = 4_000;

export type Answer =
  | { readonly progress: HelperProgress }
  | { readonly alive: true }
  | { readonly result: unknown }
  | { readonly error: HelperFailure };

/** Whose contents the entries are that follow, as lists of `[key, entry]`; `null` for an entry that goes. */
export interface ContentsItem {
  readonly section: string;
}

/** What somebody decided about hand edits: by name, the digest of each as `drift` reported it. */
export interface EditDecisions {
  /** What we wrote comes back. */
  readonly overwrite?: Readonly<Record<string, string>>;
  /** The settings say the same from now on, and the text stays as it is. */
  readonly take?: Readonly<Record<string, string>>;
  /** Not decided yet: this change does not touch it, and must not have to. */
  readonly leave?: Readonly<Record<string, string>>;
}

/** Rows of a section, by their `id`: those that come or are other than before, and those that go. */
export interface RowsChange {
  /** What names the rows they change, by an earlier result. Others are refused with `helper.contents.base`: then send all. */
  readonly base: string;
  readonly set: readonly unknown[];
  readonly gone: readonly string[];
}

/** One change to make the system agree with. */
export interface ApplyParams extends EditDecisions {
  /** Identity of the database that numbers the changes; a foreign one means "compare and ask". */
  readonly databaseId: string;
  /** Number of the change, rising within one database. 0 with `dryRun`. */
  readonly change: number;
  readonly dryRun: boolean;
  /** Whole settings of the touched sections only. */
  readonly sections: Readonly<Record<string, unknown>>;
  /** Sections that are lists of rows (see `Section.rows`), of which only those that change are sent. */
  readonly rows?: Readonly<Record<string, RowsChange>>;
  /**
   * Sections whose contents change; the entries follow, each section's after its `ContentsItem`. `base` is the digest of the contents they
   * change. Null: what follows is all there is. Another base is refused with `helper.contents.base`: then send all.
   */
  readonly contents?: Readonly<Record<string, { readonly base: string | null }>>;
  /** The person compared and decided that this database is the one to follow from now on. */
  readonly adopt?: boolean;
}

export interface ParameterChange {
  readonly name: string;
  /** Null: not set in main.cf. Secret values never appear. */
  readonly before: string | null;
  readonly after: string | null;
}

export interface FileChange {
  /** Absolute path on the machine. */
  readonly path: string;
  /** Unified diff; empty for secret or binary content, where `summary` says what changed. */
  readonly diff: string;
  readonly summary: 'changed' | 'created' | 'removed' | 'secret';
}

export interface ProofStep {
  /** Translation key under `proof.` */
  readonly key: string;
  readonly values: Readonly<Record<string, string | number>>;
  readonly ok: boolean;
  /** True for a fault that was there before the change, or that makes mail wait without losing it: told, not fatal. */
  readonly tolerated?: boolean;
  /** What the server said. */
  readonly detail: string;
}

export interface ApplyResult {
  readonly status: 'applied' | 'unchanged' | 'preview';
  readonly parameters: readonly ParameterChange[];
  readonly files: readonly FileChange[];
  readonly activation: 'none' | 'start' | 'reload' | 'restart';
  readonly proof: readonly ProofStep[];
  /** By section: the digest of its contents, or what names its rows, to be given as `base` of the next change. */
  readonly contents?: Readonly<Record<string, string>>;
  /** Milliseconds by stage. */
  readonly timing: Readonly<Record<string, number>>;
}

/** The last change the helper finished, beside its files. Says after a crash which side is ahead. */
export interface AppliedRecord {
  readonly databaseId: string;
  readonly change: number;
  readonly digest: string;
  readonly at: string;
  readonly status: 'applied' | 'unchanged' | 'refused';
  readonly failure?: HelperFailure;
  readonly result?: ApplyResult;
}

export interface DriftEntry {
  readonly kind: 'parameter' | 'list' | 'master' | 'table' | 'file' | 'directive';
  /** The section whose settings say what we wrote. */
  readonly section: string;
  readonly name: string;
  /** What we wrote; null: we had it removed. */
  readonly ours: string | null;
  /** What is there now; null: nothing, or a file that not everybody may read. */
  readonly theirs: string | null;
  /** Digest of `theirs`, to be given back in `EditDecisions`. */
  readonly digest: string;
}
