/**
 * The helper as one file, with the code V8 made of it when it was installed. Each request starts a process, and reading
 * two hundred small files would be half of its start.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Script } from 'node:vm';
import type * as bundle from './bundle.js';

type Bundle = typeof bundle;

/** What a module of the bundle has in the place of `import.meta.url`: as if it lay in the folder of the bundle. */
export const BUNDLE_URL = 'bundleUrl';

/** Where V8's code for a bundle lies. Another Node than the one that made it does not take it, and is merely slower. */
export function codeFile(file: string): string {
  return file.replace(/\.cjs$/, '.code');
}

export function loadBundle(file: string): { readonly script: Script; readonly bundle: Bundle } {
  const text = `(function (module, require, ${BUNDLE_URL}) {${readFileSync(file, 'utf8')}\n})`;
  const code = codeFile(file);
  const script = new Script(text, {
    filename: file,
    ...(existsSync(code) ? { cachedData: readFileSync(code) } : {}),
  });
  const module = { exports: {} };
  const wrapper = script.runInThisContext() as (...parts: readonly unknown[]) => void;
  wrapper(module, createRequire(file), pathToFileURL(file).href);
  return { script, bundle: module.exports as Bundle };
}
