/**
 * What a save would change, for the view `_kit/_preview`.
 */
import type { Translator } from '../i18n.js';
import type { ApplyResult, FileChange } from '../privileged/protocol.js';

export interface SettingRow {
  readonly label: string;
  /** '' when there was nothing. */
  readonly before: string;
  readonly after: string;
  readonly note?: string;
}

export interface DiffLine {
  readonly kind: 'del' | 'ins' | 'same';
  readonly text: string;
}

export interface PreviewView {
  readonly title: string;
  readonly lead: string;
  readonly rows: readonly SettingRow[];
  /** What is to be said of rows that are not shown; '' when all are. */
  readonly more?: string;
  readonly warnings: readonly string[];
  readonly filesTitle: string;
  /** It tells of what was done, not of what would be. */
  readonly past?: boolean;
  readonly files: readonly { readonly path: string; readonly lines: readonly DiffLine[] }[];
}

export function viewPreview(
  t: Translator,
  rows: readonly SettingRow[],
  result: ApplyResult,
  warnings: readonly string[] = [],
): PreviewView {
  const files = result.files.map((file) => ({ path: file.path, lines: diffLines(t, file) }));
  const changed = files.flatMap((file) => file.lines).filter((line) => line.kind !== 'same');
  return {
    title: t('preview.title', { count: rows.length }),
    lead: t(files.length === 0 ? 'preview.lead.nothing' : `preview.lead.${result.activation}`),
    rows,
    warnings,
    filesTitle: t('preview.files', { files: files.length, lines: changed.length }),
    files,
  };
}

/** The lines of a unified diff without its headers, each with its sign. */
function diffLines(t: Translator, { diff, summary }: FileChange): readonly DiffLine[] {
  if (diff === '') return [{ kind: 'same', text: t(`preview.file.${summary}`) }];
  const lines = diff.split('\n');
  const first = lines.findIndex((line) => line.startsWith('@@'));
  return lines
    .slice(first < 0 ? 0 : first + 1)
    .filter((line) => line !== '' && !line.startsWith('\\'))
    .map((line) => {
      if (line.startsWith('@@')) return { kind: 'same', text: '…' };
      const text = `${line.slice(0, 1)} ${line.slice(1)}`;
      if (line.startsWith('-')) return { kind: 'del', text };
      return { kind: line.startsWith('+') ? 'ins' : 'same', text };
    });
}
