/** What this side itself says when the helper does not: never asked, or asked without an answer. */
import { HelperError, type HelperStage } from '../errors.js';

/** This machine has no helper. */
export const noHelper = (): HelperError => ownFailure('connect', 'helper.none', true);

/** What became of the change cannot be known yet; it is brought to its end later. */
export const unsettled = (): HelperError => ownFailure('protocol', 'helper.unsettled', false);

/** The system was changed from elsewhere meanwhile, so the unfinished change was taken back. */
export const contradicted = (): HelperError => ownFailure('protocol', 'helper.contradicted', true);

/** Settings and system went apart, and nobody has decided yet which of them shall hold. */
export const diverged = (): HelperError => ownFailure('validate', 'helper.diverged', true);

/** The helper noted that it refused the change, but not why. */
export const refusedEarlier = (): HelperError => ownFailure('run', 'helper.refusedEarlier', true);

/** The database could not write what was to be saved. */
export const noRoom = (cause: unknown): HelperError =>
  ownFailure('space', 'helper.space.database', true, cause);

export function lostAnswer(cause?: unknown): HelperError {
  return ownFailure('protocol', 'helper.lostAnswer', false, cause);
}

function ownFailure(
  stage: HelperStage,
  key: string,
  restored: boolean,
  cause?: unknown,
): HelperError {
  const detail = cause instanceof Error ? cause.message : '';
  return new HelperError({ stage, key, values: {}, detail, restored }, { cause });
}
