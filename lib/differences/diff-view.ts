/** A hand edit as lines that went and came: elements of a list, words of a service, lines of a file. */
import { diffArrays } from 'diff';
import { splitList } from '../sections/elements.js';
import type { DiffLine } from '../web/preview.js';
import type { HandEdit } from './service.js';

/** Lines of an edit that are shown. */
const MAX_LINES = 200;

export function diffOf({ kind, ours, theirs }: HandEdit): readonly DiffLine[] {
  const pieces = (value: string | null): string[] => (value === null ? [] : split(kind, value));
  return diffArrays(pieces(ours), pieces(theirs))
    .flatMap(({ added, removed, value }) => {
      const lineKind = added ? 'ins' : removed ? 'del' : 'same';
      const sign = { ins: '+', del: '-', same: ' ' }[lineKind];
      return value.map((text): DiffLine => ({ kind: lineKind, text: `${sign} ${text}` }));
    })
    .slice(0, MAX_LINES);
}

function split(kind: HandEdit['kind'], value: string): string[] {
  switch (kind) {
    case 'list':
      return [...splitList(value)];
    case 'master':
      return value.split(/ (?=-o )/);
    case 'file':
    case 'table':
      return value.replace(/\n$/, '').split('\n');
    case 'parameter':
    case 'directive':
      return [value];
  }
}
