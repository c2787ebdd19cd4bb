/** Reads all that the rules of taking over look at. Changes nothing. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { SectionRegistry } from '../../sections/registry.js';
import type { Inventory } from '../../takeover/inventory.js';
import { runNative } from '../native.js';
import type { Paths } from '../paths.js';
import { POSTCONF, readConfig, type ConfigView } from '../postfix/config-view.js';
import { secretsOf } from '../secrets.js';
import { readAliasTables } from './alias-tables.js';
import { parseMainCf, parseMasterCf } from './config-lines.js';

/** Throws a `HelperError` at stage `check` when Postfix cannot read its own configuration. */
export async function takeInventory(
  paths: Paths,
  registry: SectionRegistry,
): Promise<Inventory & { readonly view: ConfigView }> {
  const files = { main: `${paths.configDir}/main.cf`, master: `${paths.configDir}/master.cf` };
  const [view, main, master, defaults, types] = await Promise.all([
    readConfig(paths.configDir, paths, secretsOf(paths)),
    readFile(files.main, 'utf8'),
    readFile(files.master, 'utf8'),
    runNative(POSTCONF, ['-c', paths.configDir, '-d']),
    runNative(POSTCONF, ['-c', paths.configDir, '-m']),
  ]);
  const names = [...defaults.stdout.matchAll(/^(\S+) =/gm)].map(([, name = '']) => name);
  const unused = [...(view.warnings ?? '').matchAll(/unused parameter: ([^\s=]+)=/g)];
  return {
    sections: registry.all,
    system: view,
    view,
    main: parseMainCf(main, files.main),
    master: parseMasterCf(master, files.master),
    unused: new Set(unused.map(([, name = '']) => name)),
    known: new Set(names),
    tableTypes: new Set(types.stdout.split('\n')),
    aliasTables: await readAliasTables(view),
    exists: existsSync,
  };
}
