/** The pages of Security on the dummy host, with a helper that answers as it is told: anew for each test. */
import { after, before, beforeEach } from 'node:test';
import request, { type Response, type Test } from 'supertest';
import { migrateMail } from '../../lib/database/mail-schema.js';
import { createDummyHost, type DummyHost } from './dummy-host.js';
import { formFields } from './forms.js';
import { openMemoryDatabase, type MemoryDatabase } from './memory-database.js';
import { recordingHelper, type RecordingHelper } from './recording-helper.js';

export const SECURITY_PATH = '/mail/security';

type Fields = Readonly<Record<string, string>>;

export interface SecurityPages {
  /** Of the test that runs. */
  readonly helper: RecordingHelper;
  readonly database: MemoryDatabase;
  readonly get: (path: string) => Test;
  readonly post: (path: string, fields: Fields) => Test;
  /** Sends the form of a page as it stands, with what is typed. */
  readonly submit: (page: string, typed: Fields) => Promise<Response>;
}

/** To be called within `describe`. */
export function securityPages(): SecurityPages {
  let database: MemoryDatabase;
  let helper: RecordingHelper;
  let host: DummyHost;
  before(async () => {
    database = await openMemoryDatabase();
    await migrateMail(database.db);
  });
  after(() => database.close());
  beforeEach(async () => {
    await database.db('mail_changes').delete();
    await database.db('mail_settings').delete();
    helper = recordingHelper();
    host = createDummyHost({ db: database.db, helper });
  });

  const get = (path: string): Test => request(host.app).get(path);
  const post = (path: string, fields: Fields): Test =>
    request(host.app).post(path).type('form').send(fields);
  return {
    get helper() {
      return helper;
    },
    get database() {
      return database;
    },
    ...{ get, post },
    submit: async (page, typed) => {
      const form = formFields((await get(`${SECURITY_PATH}/${page}`)).text);
      return post(`${SECURITY_PATH}/${page}`, { ...form, ...typed });
    },
  };
}
