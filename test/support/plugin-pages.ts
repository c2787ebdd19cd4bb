/** The pages on the dummy host, with a helper that answers as it is told: empty tables and a new helper for each test. */
import { after, afterEach, before, beforeEach } from 'node:test';
import request, { type Response, type Test } from 'supertest';
import { migrateMail } from '../../lib/database/mail-schema.js';
import { createDummyHost, type DummyHost, type DummyOptions } from './dummy-host.js';
import { formFields } from './forms.js';
import { openMemoryDatabase, type MemoryDatabase } from './memory-database.js';
import { recordingHelper, type RecordingHelper } from './recording-helper.js';

export type Fields = Readonly<Record<string, string | readonly string[]>>;

type HostOptions = Partial<Omit<DummyOptions, 'db'>>;

export interface PluginPagesOptions {
  /** What every test finds empty, without `mail_`. */
  readonly tables: readonly string[];
  /** What the host of every test has. */
  readonly host?: HostOptions;
  /** What else every test finds: rows, and what the helper says. */
  readonly prepare?: (helper: RecordingHelper, database: MemoryDatabase) => void | Promise<void>;
}

/** Database, helper and host are those of the test that runs. */
export interface PluginPages {
  readonly database: MemoryDatabase;
  readonly helper: RecordingHelper;
  readonly host: DummyHost;
  readonly get: (path: string) => Test;
  readonly post: (path: string, fields: object | string) => Test;
  /** The fields of the form of a page as it stands. */
  readonly fields: (path: string) => Promise<Record<string, string>>;
  /** Sends the form of a page to its own address as it stands, with what is typed. */
  readonly submit: (path: string, typed: Fields) => Promise<Response>;
  /** The console starts anew on the same database, with what the host has now. */
  readonly restart: (host?: HostOptions) => Promise<void>;
}

/** To be called within `describe`. */
export function pluginPages(options: PluginPagesOptions): PluginPages {
  let database: MemoryDatabase;
  let helper: RecordingHelper;
  let host: DummyHost;
  before(async () => {
    database = await openMemoryDatabase();
    await migrateMail(database.db);
  });
  after(() => database.close());
  beforeEach(async () => {
    for (const table of options.tables) await database.db(`mail_${table}`).delete();
    helper = recordingHelper();
    await options.prepare?.(helper, database);
    start();
  });
  // What it does in the background would ask a database that is closed, and keep the process for minutes.
  afterEach(() => host.plugin.close());

  const start = (more?: HostOptions): void => {
    host = createDummyHost({ db: database.db, helper, ...options.host, ...more });
  };

  const restart = async (more?: HostOptions): Promise<void> => {
    await host.plugin.close();
    start(more);
  };
  const get = (path: string): Test => request(host.app).get(path);
  const post = (path: string, fields: object | string): Test =>
    request(host.app).post(path).type('form').send(fields);
  const fields = async (path: string): Promise<Record<string, string>> =>
    formFields((await get(path).expect(200)).text);
  return {
    get database() {
      return database;
    },
    get helper() {
      return helper;
    },
    get host() {
      return host;
    },
    ...{ get, post, fields, restart },
    submit: async (path, typed) => post(path, { ...(await fields(path)), ...typed }),
  };
}
