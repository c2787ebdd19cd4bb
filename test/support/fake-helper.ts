/**
 * A helper that keeps its system in memory: it records every request, remembers like the real one what it finished last,
 * and can be told to refuse, to die, to lose its answer, or to be slow.
 */
import { isDeepStrictEqual } from 'node:util';
import type { HelperCallOptions, HelperTransport } from '../../lib/contract.js';
import { HelperError, type HelperFailure } from '../../lib/errors.js';
import type { AppliedRecord, ApplyParams, ApplyResult } from '../../lib/privileged/protocol.js';

export interface RecordedRequest {
  readonly action: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly actor: string;
}

/** What happens to one `apply`. */
export type Mishap =
  /** Refuses, with everything as before. */
  | { readonly refuse: Partial<HelperFailure> }
  /** Dies before it has done anything. */
  | 'dies before'
  /** Does it, remembers it, and the answer gets lost. */
  | 'loses the answer'
  /** Cannot be reached. */
  | 'is away'
  /** Fails its proof, puts everything back, remembers the refusal, and the answer gets lost. */
  | 'refuses and loses the answer';

export interface FakeHelper extends HelperTransport {
  readonly requests: RecordedRequest[];
  /** The settings the system has, by section. */
  readonly system: Record<string, unknown>;
  record: AppliedRecord | null;
  /** What happens to the next applies, one each; then all goes well. `null` is no mishap. */
  readonly mishaps: (Mishap | null)[];
  /** While true nothing reaches it, `record` neither. */
  away: boolean;
  /** Runs inside every apply, before anything is done. */
  during: (params: ApplyParams) => void | Promise<void>;
  applied(): ApplyParams[];
}

export function createFakeHelper(): FakeHelper {
  const fake: FakeHelper = {
    requests: [],
    system: {},
    record: null,
    mishaps: [],
    away: false,
    during: () => undefined,
    applied: () =>
      fake.requests
        .filter(({ action, params }) => action === 'apply' && params.dryRun === false)
        .map(({ params }) => params as unknown as ApplyParams),
    request: (action, params, options) => answer(fake, action, params, options),
  };
  return fake;
}

async function answer(
  fake: FakeHelper,
  action: string,
  params: Readonly<Record<string, unknown>>,
  { actor }: HelperCallOptions,
): Promise<unknown> {
  if (fake.away) throw unreachable();
  // What crosses the border is JSON.
  const crossed = JSON.parse(JSON.stringify(params)) as Record<string, unknown>;
  fake.requests.push({ action, params: crossed, actor });
  if (action === 'record') return fake.record;
  if (action !== 'apply') throw new Error(`unexpected action ${action}`);
  return apply(fake, crossed as unknown as ApplyParams);
}

async function apply(fake: FakeHelper, params: ApplyParams): Promise<ApplyResult> {
  if (params.dryRun) return { ...difference(fake, params), status: 'preview' };
  const mishap = fake.mishaps.shift() ?? null;
  if (mishap === 'is away') throw unreachable();
  if (mishap === 'dies before') throw lost();
  await fake.during(params);
  refuseForeign(fake, params);
  const noted = { databaseId: params.databaseId, change: params.change, digest: '', at: '' };
  if (mishap === 'refuses and loses the answer') {
    const failure = failureOf({ stage: 'prove', key: 'helper.proof.banner' });
    fake.record = { ...noted, status: 'refused', failure };
    throw lost();
  }
  if (mishap !== null && typeof mishap === 'object') {
    throw new HelperError(failureOf(mishap.refuse));
  }
  const result = difference(fake, params);
  Object.assign(fake.system, params.sections);
  const { status } = result;
  fake.record = { ...noted, status: status === 'applied' ? 'applied' : 'unchanged', result };
  if (mishap === 'loses the answer') throw lost();
  return result;
}

function refuseForeign({ record }: FakeHelper, { databaseId, change, adopt }: ApplyParams): void {
  if (!record || adopt) return;
  const key =
    record.databaseId !== databaseId
      ? 'helper.validate.foreignDatabase'
      : record.change > change
        ? 'helper.validate.outdated'
        : null;
  if (key) throw new HelperError(failureOf({ stage: 'validate', key }));
}

function difference({ system }: FakeHelper, { sections }: ApplyParams): ApplyResult {
  const parameters = Object.entries(sections)
    .filter(([id, settings]) => !isDeepStrictEqual(system[id], settings))
    .map(([name, settings]) => ({
      name,
      before: system[name] === undefined ? null : shown(system[name]),
      after: shown(settings),
    }));
  const changed = parameters.length > 0;
  return {
    status: changed ? 'applied' : 'unchanged',
    parameters,
    files: [],
    activation: changed ? 'reload' : 'none',
    proof: [],
    timing: {},
  };
}

/** Sealed boxes, which begin with `BOX-` in the tests, never appear in an answer. */
function shown(settings: unknown): string {
  return JSON.stringify(settings).replace(/BOX-[A-Z]+/g, '***');
}

function failureOf(failure: Partial<HelperFailure>): HelperFailure {
  return {
    stage: 'check',
    key: 'helper.check.failed',
    values: {},
    detail: '',
    restored: true,
    ...failure,
  };
}

function unreachable(): HelperError {
  return new HelperError(failureOf({ stage: 'connect', key: 'helper.connect.refused' }));
}

function lost(): HelperError {
  return new HelperError(failureOf({ stage: 'run', key: 'helper.connect.cut', restored: false }));
}
