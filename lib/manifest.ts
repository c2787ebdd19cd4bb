/**
 * `plugin.json` as the code sees it; `plugin.schema.json` is its grammar.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Role } from './contract.js';
import { PACKAGE_ROOT } from './package-root.js';

export interface ManifestTab {
  readonly id: string;
  /** Translation key. */
  readonly label: string;
  /** Below the mount point. */
  readonly path: string;
  readonly role: Role;
}

export interface ManifestEntry extends ManifestTab {
  readonly order: number;
  readonly tabs?: readonly ManifestTab[];
}

export interface Manifest {
  readonly id: string;
  readonly version: string;
  readonly name: string;
  readonly description: string;
  readonly host: string;
  readonly main: string;
  readonly mount: string;
  readonly locales: string;
  readonly conditions: readonly { readonly path: string; readonly missing: string }[];
  readonly roles: readonly { readonly id: Role; readonly label: string }[];
  readonly menu: readonly ManifestEntry[];
  readonly privileged: {
    readonly program: string;
    readonly protocol: number;
    readonly actions: readonly string[];
    readonly services: readonly string[];
  };
}

/** Reads `plugin.json` of this package. Its shape is proved by a test, not at every start. */
export function readManifest(): Manifest {
  return JSON.parse(readFileSync(join(PACKAGE_ROOT, 'plugin.json'), 'utf8')) as Manifest;
}

/** By section: where its page is below the mount point, and the key of its name. */
export type SectionPages = ReadonlyMap<string, { readonly path: string; readonly label: string }>;

/** By section, for those given: where its page is below the mount point, and the key of its name. */
export function sectionPages(manifest: Manifest, sections: readonly string[]): SectionPages {
  const entries = manifest.menu.flatMap((entry) => [...(entry.tabs ?? []), entry]);
  const known = entries.filter(({ id }) => sections.includes(id));
  return new Map(known.map(({ id, path, label }) => [id, { path, label }]));
}
