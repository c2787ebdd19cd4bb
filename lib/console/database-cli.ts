/**
 * Program: moves the database of the bundled console, its own tables and the plugin's.
 * `node dist/lib/console/database-cli.js export FILE` and `... import FILE [--replace]`; see `lib/database/cli.ts`.
 */
import { moveDatabase } from '../database/cli.js';
import { mailSchema, PASSING_TABLES } from '../database/mail-schema.js';
import { consoleSchema } from './migrations/index.js';

// Sessions and leases end with the processes that have them.
await moveDatabase([
  { ...mailSchema, prefix: 'mail_', passing: PASSING_TABLES },
  { ...consoleSchema, prefix: 'console_', passing: ['console_sessions'] },
]);
