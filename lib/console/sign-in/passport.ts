/** Passport: a name and a password become an account, and a session remembers whose it is. */
import type { Request } from 'express';
import { Passport } from 'passport';
import { Strategy } from 'passport-local';
import type { AccountService, SignInResult } from '../accounts/service.js';

/** Why somebody was not let in; a key under `console.signIn.problem.`. */
export type Refusal = Exclude<SignInResult['outcome'], 'welcome'>;

export interface SignIn {
  readonly passport: InstanceType<typeof Passport>;
  /** Looks at `username` and `password` of the body; on success the request has a new session. */
  attempt(req: Request): Promise<Refusal | null>;
}

export function createSignIn(accounts: AccountService): SignIn {
  const passport = new Passport();
  passport.use(
    new Strategy((username, password, done) => {
      accounts.signIn(username, password).then(
        (result) => {
          if (result.outcome === 'welcome') done(null, result.account);
          else done(null, false, { message: result.outcome });
        },
        (error: unknown) => done(error),
      );
    }),
  );
  passport.serializeUser((account, done) => done(null, account.id));
  passport.deserializeUser(
    (id: string, done: (error: unknown, account?: Express.User | false) => void) => {
      accounts.findActive(id).then(
        (account) => done(null, account ?? false),
        (error: unknown) => done(error),
      );
    },
  );

  return {
    passport,
    attempt: (req) =>
      new Promise((resolve, reject) => {
        const answered = (
          error: unknown,
          account?: Express.User | false | null,
          info?: { message?: string },
        ): void => {
          if (error) reject(asError(error));
          else if (!account) resolve((info?.message as Refusal | undefined) ?? 'wrong');
          else {
            // A new session id: one that was known before signing in is worth nothing afterwards.
            req.logIn(account, (failure?: unknown) => {
              if (failure) reject(asError(failure));
              else resolve(null);
            });
          }
        };
        const handler = passport.authenticate('local', answered) as (req: Request) => void;
        handler(req);
      }),
  };
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error('signing in failed', { cause: thrown });
}
