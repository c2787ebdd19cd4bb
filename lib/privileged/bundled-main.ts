/** The privileged helper as a program, where a release is installed: there this stands in the place of `main.ts`. */
import { fileURLToPath } from 'node:url';
import { loadBundle } from './bundled.js';

await loadBundle(fileURLToPath(new URL('bundle.cjs', import.meta.url))).bundle.serve();
