/** What passport and express-session keep for us, so that the rest of the console is typed. */
import type { Account } from './accounts/schema.js';

declare global {
  // eslint-disable-next-line @typescript-eslint/no-namespace
  namespace Express {
    // eslint-disable-next-line @typescript-eslint/no-empty-object-type
    interface User extends Account {}
  }
}

declare module 'express-session' {
  interface SessionData {
    passport?: { user?: string };
    /** A sealed form that waits for its person to sign in again (see `sign-in/held-form.ts`). */
    heldForm?: string;
    /** One sentence for the next page: a translation key and its values. */
    notice?: { key: string; values: Record<string, string | number> };
  }
}
