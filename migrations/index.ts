/** All migrations of the plugin in their order. A name never changes once it was released. */
import * as core from './001-core.js';

export const migrations = [{ name: '001-core', up: core.up }];
