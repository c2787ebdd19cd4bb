/** The files of this repository, for tests that watch over the house. Built files and dependencies are left out. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../lib/package-root.js';

export interface SourceFile {
  /** From the top of the repository, with slashes. */
  readonly path: string;
  readonly text: string;
}

/** Every file below `folders` whose name ends in one of `extensions`. */
export function sourceFiles(
  folders: readonly string[],
  extensions: readonly string[],
): readonly SourceFile[] {
  return folders
    .flatMap((folder) => list(folder))
    .filter((path) => extensions.some((extension) => path.endsWith(extension)))
    .map((path) => ({ path, text: readFileSync(join(PACKAGE_ROOT, path), 'utf8') }));
}

function list(folder: string): readonly string[] {
  return readdirSync(join(PACKAGE_ROOT, folder), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? list(`${folder}/${entry.name}`) : [`${folder}/${entry.name}`],
  );
}

/** A file's messages, by key, in the order of the file. */
export function messagesOf(path: string): readonly (readonly [key: string, text: string])[] {
  const text = readFileSync(join(PACKAGE_ROOT, path), 'utf8');
  return Object.entries(JSON.parse(text) as Record<string, string>);
}
