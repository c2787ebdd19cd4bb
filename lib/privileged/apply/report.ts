/** What a change did, or would do, in the words of the protocol. */
import { createTwoFilesPatch } from 'diff';
import type { Paths } from '../paths.js';
import type { ConfigView } from '../postfix/config-view.js';
import type { ApplyResult, FileChange, ParameterChange } from '../protocol.js';
import type { Replacement } from './journal.js';
import { presentValue, type Plan } from './plan.js';
import type { Stage } from './stage.js';
import type { BuiltTables } from './tables.js';

/** Lines of a file around a change that a diff shows. */
const CONTEXT_LINES = 2;

export function reportParameters(plan: Plan, present: ConfigView): ParameterChange[] {
  return [...plan.parameters].map(([name, after]) => ({
    name,
    before: presentValue(present, name),
    after,
  }));
}

export function reportFiles(
  stage: Stage,
  files: readonly Replacement[],
  tables: readonly BuiltTables[],
  paths: Paths,
): FileChange[] {
  const { before, after } = stage;
  return [
    ...changedText(`${paths.configDir}/main.cf`, before.main, after.main),
    ...changedText(`${paths.configDir}/master.cf`, before.master, after.master),
    ...files.map(reportFile),
    ...tables
      .flatMap(({ changed }) => changed)
      .map(({ file, secret, diff = '' }): FileChange => {
        return { path: file, diff, summary: secret ? 'secret' : 'changed' };
      }),
  ];
}

function changedText(path: string, before: Buffer, after: Buffer): FileChange[] {
  if (before.equals(after)) return [];
  const diff = unifiedDiff(path, before.toString(), after.toString());
  return [{ path, diff, summary: 'changed' }];
}

function reportFile({ file, content, before = null, secret }: Replacement): FileChange {
  if (secret) return { path: file, diff: '', summary: 'secret' };
  const after = typeof content === 'string' ? content : '';
  const summary = content === null ? 'removed' : before === null ? 'created' : 'changed';
  return { path: file, diff: unifiedDiff(file, before ?? '', after), summary };
}

function unifiedDiff(path: string, before: string, after: string): string {
  return createTwoFilesPatch(path, path, before, after, '', '', { context: CONTEXT_LINES });
}

export function emptyResult(status: ApplyResult['status']): ApplyResult {
  return { status, parameters: [], files: [], activation: 'none', proof: [], timing: {} };
}
