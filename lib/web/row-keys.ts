/** Rows of a list as tick boxes and menus name them: `12.5`, a row and the version that was shown. */
import type { RowKey } from '../changes/rows.js';

export function writeRowKey({ id, version }: RowKey): string {
  return `${id}.${version}`;
}

/** Keys with blanks between them; anything else is passed over. */
export function readRowKeys(texts: readonly string[]): readonly RowKey[] {
  return texts
    .flatMap((text) => text.split(' '))
    .flatMap((text) => {
      const match = /^([1-9]\d{0,17})\.(\d{1,10})$/.exec(text);
      return match ? [{ id: match[1] ?? '', version: Number(match[2]) }] : [];
    });
}
