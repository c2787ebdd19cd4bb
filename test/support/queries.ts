/** Queries for tests. */
import { NEW_QUERY, type FetchQuery } from '../../lib/fetchmail/schema.js';

/** Looks like a box; nobody can open it. */
export const SOME_BOX = `mb1.${'A'.repeat(100)}`;

/** A query the schema takes; `more` changes what a test is about. */
export function someQuery(more: Partial<FetchQuery> = {}): FetchQuery {
  return {
    ...NEW_QUERY,
    id: '7',
    name: 'imap.provider.example',
    server: 'imap.provider.example',
    remoteUser: 'me',
    remotePassword: SOME_BOX,
    users: ['alice'],
    ...more,
  };
}
