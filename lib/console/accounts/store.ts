import type { Knex } from 'knex';
import type { Account, AccountKind, ConsoleRole } from './schema.js';

interface Row {
  id: string;
  login: string;
  name: string;
  email: string | null;
  kind: AccountKind;
  password_hash: string | null;
  roles: ConsoleRole[];
  disabled: boolean;
  version: number;
  created_at: Date;
  created_by: string;
  signed_in_at: Date | null;
}

export interface NewAccount {
  readonly login: string;
  readonly name: string;
  readonly email: string | null;
  readonly kind: AccountKind;
  readonly roles: readonly ConsoleRole[];
  readonly passwordHash: string | null;
  readonly createdBy: string;
}

export interface AccountChange {
  readonly name?: string;
  readonly email?: string | null;
  readonly kind?: AccountKind;
  readonly roles?: readonly ConsoleRole[];
  readonly disabled?: boolean;
  readonly passwordHash?: string | null;
}

export type AccountStore = ReturnType<typeof createAccountStore>;

/** The only place that names `console_accounts`. Every method takes the transaction it shall run in, if any. */
export function createAccountStore(database: Knex) {
  const accounts = (db: Knex) => db<Row>('console_accounts');
  return {
    async list(db: Knex = database): Promise<readonly Account[]> {
      return (await accounts(db).orderBy('login')).map(toAccount);
    },

    async find(id: string, db: Knex = database): Promise<Account | null> {
      if (!/^\d{1,18}$/.test(id)) return null;
      const row = await accounts(db).where({ id }).first();
      return row === undefined ? null : toAccount(row);
    },

    async findByLogin(login: string, db: Knex = database): Promise<Account | null> {
      const row = await accounts(db).where({ login }).first();
      return row === undefined ? null : toAccount(row);
    },

    /** The argon2 hash; null for accounts without one. Kept apart so that no page can show it by accident. */
    async passwordHash(id: string, db: Knex = database): Promise<string | null> {
      const row = await accounts(db).where({ id }).first('password_hash');
      return row?.password_hash ?? null;
    },

    /** Null when the login is taken. */
    async insert(account: NewAccount, db: Knex = database): Promise<Account | null> {
      const [row] = await accounts(db)
        .insert({
          login: account.login,
          name: account.name,
          email: account.email,
          kind: account.kind,
          roles: [...account.roles],
          password_hash: account.passwordHash,
          created_by: account.createdBy,
        })
        .onConflict('login')
        .ignore()
        .returning('*');
      return row === undefined ? null : toAccount(row);
    },

    /** False when the account is gone or was changed since `version`. */
    async update(
      id: string,
      version: number,
      change: AccountChange,
      db: Knex = database,
    ): Promise<boolean> {
      const { passwordHash, roles, ...plain } = change;
      const count = await accounts(db)
        .where({ id, version })
        .update({
          ...plain,
          ...(roles === undefined ? {} : { roles: [...roles] }),
          ...(passwordHash === undefined ? {} : { password_hash: passwordHash }),
          version: version + 1,
        });
      return count === 1;
    },

    async remove(id: string, version: number, db: Knex = database): Promise<boolean> {
      return (await accounts(db).where({ id, version }).delete()) === 1;
    },

    async noteSignIn(id: string, at: Date, db: Knex = database): Promise<void> {
      await accounts(db).where({ id }).update({ signed_in_at: at });
    },

    async isEmpty(db: Knex = database): Promise<boolean> {
      return (await accounts(db).first('id')) === undefined;
    },

    /** Other accounts that can sign in and look after this console; the rows are locked until the transaction ends. */
    async otherAdministrators(id: string, trx: Knex.Transaction): Promise<number> {
      const rows = await accounts(trx)
        .where({ disabled: false })
        .whereNot({ id })
        .whereRaw(`'console.admin' = any(roles)`)
        .forUpdate()
        .select('id');
      return rows.length;
    },
  };
}

function toAccount(row: Row): Account {
  return {
    id: row.id,
    login: row.login,
    name: row.name,
    email: row.email,
    kind: row.kind,
    roles: row.roles,
    disabled: row.disabled,
    version: row.version,
    createdAt: row.created_at,
    createdBy: row.created_by,
    signedInAt: row.signed_in_at,
  };
}
