/** Makes one file of the helper's program in a release that is being installed; `lib/privileged/bundled.ts` runs it. */
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { BUNDLE_URL, codeFile, loadBundle } from '../privileged/bundled.js';

/** `home` has the build with all packages, `release` a copy of the build. */
export async function bundleHelper(home: string, release: string): Promise<void> {
  const folder = join(release, 'dist/lib/privileged');
  const file = join(folder, 'bundle.cjs');
  await build({
    entryPoints: [join(home, 'dist/lib/privileged/bundle.js')],
    outfile: file,
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    define: { 'import.meta.url': BUNDLE_URL },
    logLevel: 'error',
  });
  const { script, bundle } = loadBundle(file);
  await bundle.loadAll();
  await writeFile(codeFile(file), script.createCachedData());
  await copyFile(join(folder, 'bundled-main.js'), join(folder, 'main.js'));
}
