/**
 * Our templates inside the host's Nunjucks environment, under names that begin with `@mail/`.
 */
import { readFileSync } from 'node:fs';
import { join, normalize, sep } from 'node:path';
import type { Environment, ILoader } from 'nunjucks';

const PREFIX = '@mail/';

/** What `Environment` has beside its typed face (nunjucks 3.2.4, src/environment.js). */
interface LoaderHolder {
  readonly loaders: (ILoader & { cache: Record<string, unknown> })[];
  readonly opts: { readonly autoescape?: boolean };
}

export interface Views {
  /** Renders `<folder>/<name>.njk` with exactly this context. Throws on an unknown view. */
  render(name: string, context: Readonly<Record<string, unknown>>): string;
  /** Marks markup that `render` made, so that the host's layout prints it as it is. */
  markup(html: string): unknown;
}

/**
 * Adds a loader for `folder` to the host's environment. Throws when the environment does not escape:
 * every page would then be open to scripts from mail and users.
 */
export function createViews(environment: Environment, folder: string): Views {
  const { loaders, opts } = environment as unknown as LoaderHolder;
  if (opts.autoescape !== true) {
    throw new Error("the host's Nunjucks environment must have autoescape on");
  }
  loaders.push({
    cache: {},
    getSource(name) {
      const source = name.startsWith(PREFIX) ? read(folder, name.slice(PREFIX.length)) : null;
      // Nunjucks asks the next loader on null, which its types leave out.
      return source as NonNullable<typeof source>;
    },
  });
  const safe = environment.getFilter('safe');
  return {
    render: (name, context) => environment.render(`${PREFIX}${name}.njk`, context),
    markup: (html) => safe(html) as unknown,
  };
}

function read(
  folder: string,
  name: string,
): { src: string; path: string; noCache: boolean } | null {
  const path = join(folder, normalize(name));
  if (!path.startsWith(folder.endsWith(sep) ? folder : folder + sep)) return null;
  try {
    return { src: readFileSync(path, 'utf8'), path, noCache: false };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
