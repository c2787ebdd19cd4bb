/**
 * The errors that pages turn into words. An error carries a translation key and values, never a sentence.
 */
export type MessageValues = Readonly<Record<string, string | number>>;

/** One thing that is wrong, at one field when `field` is given. */
export interface Problem {
  readonly key: string;
  readonly values: MessageValues;
  readonly field?: string;
}

/** The user can put it right: 422 and the form again. */
export class UserError extends Error {
  override readonly name = 'UserError';
  readonly problems: readonly Problem[];

  constructor(problems: Problem | readonly Problem[], options?: ErrorOptions) {
    const all = Array.isArray(problems) ? (problems as readonly Problem[]) : [problems as Problem];
    super(all.map((problem) => problem.key).join(', '), options);
    this.problems = all;
  }
}

/** Somebody else changed it meanwhile: 409 and both versions. `theirs` is what is stored now, as form values. */
export class ConflictError extends Error {
  override readonly name = 'ConflictError';

  constructor(
    readonly theirs: Readonly<Record<string, unknown>>,
    readonly by: { readonly login: string; readonly at: Date } | null,
    readonly version: number,
  ) {
    super('changed meanwhile');
  }
}

/** Whether the disk below the database is full: PostgreSQL's `disk_full`. */
export function isDiskFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '53100';
}

/** Gone, or never there: 404. */
export class NotFoundError extends Error {
  override readonly name = 'NotFoundError';

  constructor(readonly what: string) {
    super(`not found: ${what}`);
  }
}

/** Where on its way a request to the privileged helper failed. */
export type HelperStage =
  | 'connect'
  | 'protocol'
  | 'validate'
  | 'render'
  | 'drift'
  | 'stage'
  | 'check'
  | 'space'
  | 'journal'
  | 'swap'
  | 'activate'
  | 'prove'
  | 'rollback'
  | 'run';

export interface HelperFailure {
  readonly stage: HelperStage;
  /** Translation key under `helper.` */
  readonly key: string;
  readonly values: MessageValues;
  /** What the native tool said, for the folded part of the page. May hold anything: escape it. */
  readonly detail: string;
  /** True when everything is as it was before the request. */
  readonly restored: boolean;
}

/** The privileged side refused or failed: 502, the message, details folded. */
export class HelperError extends Error {
  override readonly name = 'HelperError';
  readonly stage: HelperStage;
  readonly key: string;
  readonly values: MessageValues;
  readonly detail: string;
  readonly restored: boolean;

  constructor(failure: HelperFailure, options?: ErrorOptions) {
    super(`${failure.stage}: ${failure.key}`, options);
    this.stage = failure.stage;
    this.key = failure.key;
    this.values = failure.values;
    this.detail = failure.detail;
    this.restored = failure.restored;
  }

  /** The helper cannot be reached at all, so nothing was even asked. */
  get unreachable(): boolean {
    return this.stage === 'connect';
  }

  toFailure(): HelperFailure {
    const { stage, key, values, detail, restored } = this;
    return { stage, key, values, detail, restored };
  }
}
