import type { Knex } from 'knex';
import { ConflictError, NotFoundError, UserError, type Problem } from '../../errors.js';
import type { SystemPasswords } from '../sign-in/saslauthd.js';
import { hashPassword, isTooLong, randomPassword, verifyPassword } from './password.js';
import {
  LOGIN_PATTERN,
  MAX_PASSWORD_BYTES,
  MIN_PASSWORD_LENGTH,
  rolesFor,
  type Account,
  type AccountSettings,
} from './schema.js';
import type { AccountStore } from './store.js';

/** What became of an attempt to sign in. `disabled` is only said to someone who knew the password. */
export type SignInResult =
  | { readonly outcome: 'welcome'; readonly account: Account }
  | { readonly outcome: 'wrong' | 'disabled' | 'unavailable' };

export type AccountService = ReturnType<typeof createAccountService>;

export interface AccountParts {
  readonly db: Knex;
  readonly store: AccountStore;
  readonly systemPasswords: SystemPasswords;
  /** Ends the sessions of an account, all but one if named, within the transaction. */
  readonly endSessions: (accountId: string, trx: Knex, exceptSessionId?: string) => Promise<void>;
}

/** The rules for the console's accounts. There is always one that can look after the console. */
export function createAccountService({ db, store, systemPasswords, endSessions }: AccountParts) {
  /** Verified in place of a hash that does not exist, so that an unknown login takes as long as a known one. */
  const decoy = hashPassword(randomPassword());

  async function passwordFits(account: Account, password: string): Promise<boolean | null> {
    if (account.kind === 'own') {
      return verifyPassword((await store.passwordHash(account.id)) ?? (await decoy), password);
    }
    const answer = await systemPasswords.check(account.login, password);
    return answer === 'unavailable' ? null : answer === 'right';
  }

  /** Runs a change of one account; throws when somebody was faster or nobody could look after the console any more. */
  async function change(
    id: string,
    version: number,
    run: (account: Account, trx: Knex.Transaction) => Promise<boolean>,
  ): Promise<void> {
    await db.transaction(async (trx) => {
      const before = await store.find(id, trx);
      if (before === null) throw new NotFoundError('account');
      if (before.version !== version || !(await run(before, trx))) {
        throw new ConflictError({ ...before }, null, before.version);
      }
      const after = await store.find(id, trx);
      const managed = after !== null && !after.disabled && after.roles.includes('console.admin');
      if (!managed && (await store.otherAdministrators(id, trx)) === 0) {
        throw new UserError({ key: 'console.accounts.problem.lastAdministrator', values: {} });
      }
    });
  }

  return {
    list: () => store.list(),

    async get(id: string): Promise<Account> {
      const account = await store.find(id);
      if (account === null) throw new NotFoundError('account');
      return account;
    },

    /** The account, if it may still sign in. */
    async findActive(id: string): Promise<Account | null> {
      const account = await store.find(id);
      return account === null || account.disabled ? null : account;
    },

    /** The account a trusted reverse proxy names, if it may sign in. */
    async findActiveByLogin(login: string): Promise<Account | null> {
      const account = LOGIN_PATTERN.test(login) ? await store.findByLogin(login) : null;
      return account === null || account.disabled ? null : account;
    },

    /** Compares the password; takes as long for an unknown login as for a wrong password. */
    async signIn(login: string, password: string): Promise<SignInResult> {
      const name = login.trim().toLowerCase();
      const account = LOGIN_PATTERN.test(name) ? await store.findByLogin(name) : null;
      if (account === null) {
        await verifyPassword(await decoy, password);
        return { outcome: 'wrong' };
      }
      const fits = await passwordFits(account, password);
      if (fits === null) return { outcome: 'unavailable' };
      if (!fits) return { outcome: 'wrong' };
      if (account.disabled) return { outcome: 'disabled' };
      await store.noteSignIn(account.id, new Date());
      return { outcome: 'welcome', account };
    },

    /** Makes the first administrator while there is no account; null when there is one. */
    async createFirst(login: string): Promise<{ user: string; password: string } | null> {
      if (!(await store.isEmpty())) return null;
      const password = randomPassword();
      const made = await store.insert({
        login,
        name: '',
        email: null,
        kind: 'own',
        roles: rolesFor('admin', true),
        passwordHash: await hashPassword(password),
        createdBy: 'console',
      });
      return made === null ? null : { user: login, password };
    },

    async create(settings: AccountSettings, password: string, actor: string): Promise<Account> {
      const own = settings.kind === 'own';
      if (own) refuse(passwordProblems(password, settings.login));
      const made = await store.insert({
        login: settings.login,
        name: settings.name,
        email: settings.email === '' ? null : settings.email,
        kind: settings.kind,
        roles: rolesFor(settings.level, settings.manages),
        passwordHash: own ? await hashPassword(password) : null,
        createdBy: actor,
      });
      if (made === null) {
        refuse([
          {
            key: 'console.accounts.problem.taken',
            values: { login: settings.login },
            field: 'login',
          },
        ]);
        throw new Error('unreachable');
      }
      return made;
    },

    /** Changes all but login and kind. An empty password keeps the old one; a new one ends the account's sessions. */
    async update(
      id: string,
      version: number,
      settings: Omit<AccountSettings, 'login' | 'kind'>,
      password: string,
    ): Promise<void> {
      const account = await this.get(id);
      const fresh = account.kind === 'own' && password !== '';
      if (fresh) refuse(passwordProblems(password, account.login));
      const passwordHash = fresh ? await hashPassword(password) : null;
      await change(id, version, async (_before, trx) => {
        if (passwordHash !== null) await endSessions(id, trx);
        return store.update(
          id,
          version,
          {
            name: settings.name,
            email: settings.email === '' ? null : settings.email,
            roles: rolesFor(settings.level, settings.manages),
            ...(passwordHash === null ? {} : { passwordHash }),
          },
          trx,
        );
      });
    },

    /**
     * Root's way back in: a new password for an account with one of its own, which is signed in nowhere any more. Null
     * for any other login.
     */
    async renewPassword(login: string): Promise<string | null> {
      const password = randomPassword();
      const passwordHash = await hashPassword(password);
      return db.transaction(async (trx) => {
        const account = LOGIN_PATTERN.test(login) ? await store.findByLogin(login, trx) : null;
        if (account === null || account.kind !== 'own') return null;
        const { id, version } = account;
        await endSessions(id, trx);
        if (!(await store.update(id, version, { passwordHash }, trx))) {
          throw new ConflictError({ ...account }, null, version);
        }
        return password;
      });
    },

    /** Off: nobody signs in with it, and who is signed in with it is signed out. */
    async setDisabled(id: string, version: number, disabled: boolean): Promise<void> {
      await change(id, version, async (_before, trx) => {
        if (disabled) await endSessions(id, trx);
        return store.update(id, version, { disabled }, trx);
      });
    },

    async remove(id: string, version: number): Promise<void> {
      await change(id, version, async (_before, trx) => {
        await endSessions(id, trx);
        return store.remove(id, version, trx);
      });
    },

    /** A person's own change; every other session of theirs ends. */
    async changeOwnPassword(
      account: Account,
      input: { readonly current: string; readonly password: string; readonly repeated: string },
      sessionId: string,
    ): Promise<void> {
      const fits = await passwordFits(account, input.current);
      if (fits !== true) {
        const key = fits === null ? 'currentUnknown' : 'currentWrong';
        refuse([{ key: `console.account.problem.${key}`, values: {}, field: 'currentPassword' }]);
      }
      refuse([
        ...passwordProblems(input.password, account.login),
        ...(input.password === input.repeated
          ? []
          : [
              {
                key: 'console.account.problem.notRepeated',
                values: {},
                field: 'repeatedPassword',
              },
            ]),
      ]);
      const passwordHash = await hashPassword(input.password);
      await db.transaction(async (trx) => {
        const now = await store.find(account.id, trx);
        if (now === null) throw new NotFoundError('account');
        await store.update(account.id, now.version, { passwordHash }, trx);
        await endSessions(account.id, trx, sessionId);
      });
    },
  };
}

/** What is wrong with a new password. */
export function passwordProblems(password: string, login: string): Problem[] {
  const field = 'password';
  if ([...password].length < MIN_PASSWORD_LENGTH) {
    const values = { count: MIN_PASSWORD_LENGTH };
    return [{ key: 'console.accounts.problem.passwordShort', values, field }];
  }
  if (isTooLong(password)) {
    const values = { count: MAX_PASSWORD_BYTES };
    return [{ key: 'console.accounts.problem.passwordLong', values, field }];
  }
  if (login.length > 3 && password.toLowerCase().includes(login)) {
    return [{ key: 'console.accounts.problem.passwordIsLogin', values: {}, field }];
  }
  if (new Set(password).size < 4) {
    return [{ key: 'console.accounts.problem.passwordSimple', values: {}, field }];
  }
  return [];
}

function refuse(problems: readonly Problem[]): void {
  if (problems.length > 0) throw new UserError(problems);
}
