import { fileURLToPath } from 'node:url';

/** The folder of `package.json`: views, locales and public files are read from there, code runs from `dist/`. */
export const PACKAGE_ROOT = fileURLToPath(new URL('../../', import.meta.url));
