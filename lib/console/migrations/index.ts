/** The console's own tables, apart from the plugin's: its own list and its own migration table. */
import type { MigrationSet } from '../../database/migrate.js';
import * as accounts from './001-accounts.js';
import * as sessions from './002-sessions.js';
import * as settings from './003-settings.js';

export const consoleSchema: MigrationSet = {
  table: 'console_migrations',
  migrations: [
    { name: '001-accounts', up: accounts.up },
    { name: '002-sessions', up: sessions.up },
    { name: '003-settings', up: settings.up },
  ],
};
