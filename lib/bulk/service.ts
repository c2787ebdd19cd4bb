/** Bulk mail: drafts, sending, what became of it. */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { Knex } from 'knex';
import type { Worlds } from '../aliases/world.js';
import type { World } from '../aliases/resolve.js';
import type { Helper } from '../client/helper.js';
import type { Directory, DirectoryUser, Log } from '../contract.js';
import { ConflictError, NotFoundError, UserError, type Problem } from '../errors.js';
import type { Machine } from '../machine/service.js';
import type { UploadedFile } from '../web/multipart.js';
import {
  attachmentsOf,
  copyAttachment,
  insertAttachment,
  keepAttachments,
  readAttachments,
  type Attachment,
} from './attachment-store.js';
import { plainName, typeOf } from './file-names.js';
import { messageBytes } from './mime.js';
import {
  choosableGroups,
  chooseRecipients,
  leadsSomewhere,
  unknownNames,
  type Chosen,
} from './recipients.js';
import {
  copyRecipients,
  countMatching,
  countRecipients,
  countSentLately,
  insertRecipients,
  moveRecipients,
  NO_COUNTS,
  readRecipients,
  type Recipient,
  type RecipientCounts,
  type RecipientQuery,
} from './recipient-store.js';
import { createBulkRunner, type BulkTiming } from './runner.js';
import { FAILED_STATES, MAX_ATTACHMENTS, MAX_RECIPIENTS, type MailingIdentity } from './schema.js';
import {
  deleteDraft,
  insertMailing,
  moveMailing,
  readMailing,
  readMailings,
  startDraft,
  updateDraft,
  type Mailing,
  type MailingValues,
} from './store.js';
import { tryOut } from './try-out.js';

/** How old what is known of the machine may be, in milliseconds. */
const MACHINE_AGE_MS = 10_000;
/** Rate is measured over this long, in seconds. */
const RATE_SECONDS = 30;

export interface Listed {
  readonly mailing: Mailing;
  readonly counts: RecipientCounts;
}

export interface DraftView {
  readonly mailing: Mailing;
  readonly attachments: readonly Attachment[];
  readonly chosen: Chosen;
  /** What is to be said of them before anything can be sent; null when nothing is in the way. */
  readonly obstacle: Problem | null;
  /** Stands for these recipients: sending asks for it, so that nobody sends to others than were shown. */
  readonly digest: string;
  /** Mail that comes back to the sender arrives nowhere. */
  readonly senderUnknown: boolean;
}

export interface Progress extends Listed {
  readonly attachments: readonly Attachment[];
  /** Messages a second, lately. */
  readonly perSecond: number;
}

export interface FormChoices {
  readonly groups: readonly { readonly name: string; readonly people: number }[];
  readonly world: World;
  /** Largest message the server takes, in bytes; 0 without a limit. */
  readonly sizeLimit: number;
}

/** The draft of a person who may send it. */
export interface DraftInput {
  readonly values: MailingValues;
  /** Ids of files, in their order. */
  readonly attachments: readonly string[];
  readonly actor: string;
}

export interface BulkService {
  start(): void;
  close(): Promise<void>;
  choices(): Promise<FormChoices>;
  /** What a new mailing begins with: the person's own address here. */
  senderFor(login: string): Promise<{ readonly address: string; readonly name: string }>;
  /** Files that came with a form: kept although the form may be wrong. Throws `UserError` at `attachments`. */
  keepFiles(
    files: readonly UploadedFile[],
    kept: { readonly ids: readonly string[]; readonly mailing: string | null },
    actor: string,
  ): Promise<readonly Attachment[]>;
  /** Throws `UserError`. */
  create(input: DraftInput): Promise<string>;
  /** Throws `UserError`, `ConflictError`, `NotFoundError` when it is no draft any more. */
  change(id: string, version: number, input: DraftInput): Promise<void>;
  draft(id: string): Promise<DraftView>;
  remove(id: string): Promise<void>;
  /** One message to somebody who looks at it first. Throws `UserError` at `to`, `HelperError`. */
  sendTest(id: string, to: string, person: { login: string; name: string }): Promise<string>;
  /** Throws `ConflictError` when it is not what was shown, `UserError` when it cannot be. A second time does nothing. */
  send(id: string, shown: { version: number; digest: string }, actor: string): Promise<void>;
  pause(id: string): Promise<void>;
  resume(id: string): Promise<void>;
  cancel(id: string): Promise<void>;
  /** What a person decides about messages of which nobody knows whether they got through. */
  decide(id: string, again: boolean): Promise<void>;
  /** A new draft with the same text for those who did not get it. Throws `UserError` when everybody did. */
  again(id: string, actor: string): Promise<string>;
  get(id: string): Promise<Mailing>;
  progress(id: string): Promise<Progress>;
  recipients(
    id: string,
    query: RecipientQuery,
  ): Promise<{ readonly rows: readonly Recipient[]; readonly matching: number }>;
  list(query: { before: string; limit: number }): Promise<readonly Listed[]>;
}

export interface BulkParts {
  readonly db: Knex;
  readonly helper: Helper | null;
  readonly machine: Machine;
  readonly directory: Directory;
  readonly worlds: Worlds;
  readonly log: Log;
  readonly timing?: BulkTiming;
  /** Most recipients of one mailing. */
  readonly limit?: number;
}

export function createBulkService(parts: BulkParts): BulkService {
  const { db, helper, machine, directory, worlds, log, timing, limit = MAX_RECIPIENTS } = parts;
  const runner = createBulkRunner({ db, helper, log, ...(timing ? { timing } : {}) });

  const need = async (id: string): Promise<Mailing> => {
    const found = /^[1-9]\d{0,17}$/.test(id) ? await readMailing(db, id) : null;
    if (found === null) throw new NotFoundError(`mailing ${id}`);
    return found;
  };
  const needDraft = async (id: string): Promise<Mailing> => {
    const found = await need(id);
    if (found.state !== 'draft') throw new NotFoundError(`draft ${id}`);
    return found;
  };

  const choose = async (mailing: Mailing): Promise<Chosen> => {
    if (mailing.againOf !== null) {
      const wanted = { states: ['waiting'], search: '', after: 0, limit: MAX_RECIPIENTS } as const;
      return { people: await readRecipients(db, mailing.id, wanted), leftOut: [] };
    }
    return chooseRecipients(await directory.users(), mailing, await worlds.now(db));
  };

  const obstacleOf = ({ people }: Chosen): Problem | null =>
    people.length > limit ? { key: 'bulk.tooMany', values: { limit } } : null;

  const sizeLimit = async (): Promise<number> => {
    const { view } = await machine.look(MACHINE_AGE_MS);
    return Number(view?.effective['message_size_limit'] ?? '') || 0;
  };

  /** What a form cannot know by itself. */
  const examine = async ({ values, attachments, actor }: DraftInput, mailing: string | null) => {
    const problems: Problem[] = [];
    const [users, groups] = await Promise.all([directory.users(), directory.groups()]);
    for (const field of ['include', 'exclude'] as const) {
      const [name] = unknownNames(values[field], users, groups);
      if (name !== undefined)
        problems.push({ key: 'bulk.problem.name', values: { value: name }, field });
    }
    const files = await readAttachments(db, { mailing, ids: attachments, actor });
    const limit = await sizeLimit();
    const size = sizeOf(values, files);
    if (limit > 0 && size > limit) {
      problems.push({ key: 'bulk.problem.size', values: { size, limit }, field: 'attachments' });
    }
    if (problems.length > 0) throw new UserError(problems);
    return files.map(({ id }) => id);
  };

  return {
    start: () => runner.start(),
    close: () => runner.close(),
    choices: async () => {
      const [users, groups, world, limit] = await Promise.all([
        directory.users(),
        directory.groups(),
        worlds.now(db),
        sizeLimit(),
      ]);
      return { groups: choosableGroups(users, groups), world, sizeLimit: limit };
    },
    senderFor: async (login) => {
      const [users, { home }] = await Promise.all([directory.users(), worlds.now(db)]);
      const user = users.find((one: DirectoryUser) => one.login === login && !one.system);
      if (home === '') return { address: '', name: user?.name ?? '' };
      return { address: `${user?.login ?? 'postmaster'}@${home}`, name: user?.name ?? '' };
    },
    async keepFiles(files, kept, actor) {
      const wanted = { mailing: kept.mailing, ids: kept.ids, actor };
      const before = await readAttachments(db, wanted);
      if (before.length + files.length > MAX_ATTACHMENTS) {
        const values = { limit: MAX_ATTACHMENTS };
        throw new UserError({ key: 'bulk.problem.tooManyFiles', values, field: 'attachments' });
      }
      const added: string[] = [];
      for (const { fileName, bytes } of files) {
        const file = { id: randomUUID(), name: plainName(fileName), type: typeOf(fileName) };
        await insertAttachment(db, file, bytes, actor);
        added.push(file.id);
      }
      return readAttachments(db, { ...wanted, ids: [...kept.ids, ...added] });
    },
    async create(input) {
      const files = await examine(input, null);
      return db.transaction(async (trx) => {
        const id = await insertMailing(trx, newIdentity(), input.values, input.actor);
        await keepAttachments(trx, id, files);
        return id;
      });
    },
    async change(id, version, input) {
      const before = await needDraft(id);
      const files = await examine(input, id);
      await db.transaction(async (trx) => {
        if (await updateDraft(trx, id, version, input.values, input.actor)) {
          await keepAttachments(trx, id, files);
          return;
        }
        const now = (await readMailing(trx, id)) ?? before;
        throw new ConflictError({ ...now }, { login: now.actor, at: now.changedAt }, now.version);
      });
    },
    async draft(id) {
      const mailing = await needDraft(id);
      const [chosen, attachments, world] = await Promise.all([
        choose(mailing),
        attachmentsOf(db, id),
        worlds.now(db),
      ]);
      return {
        ...{ mailing, chosen, attachments, digest: digestOf(chosen) },
        obstacle: obstacleOf(chosen),
        senderUnknown: !(await leadsSomewhere(mailing.sender, world)),
      };
    },
    async remove(id) {
      await needDraft(id);
      await deleteDraft(db, id);
    },
    async sendTest(id, to, { login, name }) {
      return tryOut({ db, helper }, await needDraft(id), { name, login, address: to });
    },
    async send(id, { version, digest }, actor) {
      const mailing = await need(id);
      // A second click finds it under way.
      if (mailing.state !== 'draft') return;
      const chosen = await choose(mailing);
      const changed = mailing.version !== version || digestOf(chosen) !== digest;
      if (changed || chosen.people.length === 0) {
        throw new ConflictError({ ...mailing }, null, mailing.version);
      }
      const obstacle = obstacleOf(chosen);
      if (obstacle !== null) throw new UserError(obstacle);
      log.info({ mailing: id, recipients: chosen.people.length, actor }, 'a mailing begins');
      await db.transaction(async (trx) => {
        if (!(await startDraft(trx, id, version))) return;
        if (mailing.againOf !== null) return;
        await insertRecipients(trx, id, [
          ...chosen.people.map(
            (one) => ({ ...plainPerson(one), state: 'waiting', reply: '' }) as const,
          ),
          ...chosen.leftOut.map(
            ({ reason, detail, ...one }) =>
              ({ ...one, state: 'leftOut', reply: [reason, detail].join(' ').trim() }) as const,
          ),
        ]);
      });
      runner.wake();
    },
    async pause(id) {
      await need(id);
      await moveMailing(db, id, ['running'], 'paused');
    },
    async resume(id) {
      await need(id);
      await moveMailing(db, id, ['paused'], 'running');
      runner.wake();
    },
    async cancel(id) {
      await need(id);
      await db.transaction(async (trx) => {
        if (!(await moveMailing(trx, id, ['running', 'paused'], 'cancelled'))) return;
        await moveRecipients(trx, id, ['waiting'], 'unsent');
      });
      runner.wake();
    },
    async decide(id, again) {
      await need(id);
      await db.transaction(async (trx) => {
        const to = again ? 'waiting' : 'accepted';
        const moved = await moveRecipients(trx, id, ['doubtful'], to);
        if (moved > 0 && again) await moveMailing(trx, id, ['done', 'cancelled'], 'running');
      });
      runner.wake();
    },
    async again(id, actor) {
      const mailing = await need(id);
      const counts = (await countRecipients(db, [id])).get(id) ?? NO_COUNTS;
      if (FAILED_STATES.every((state) => counts[state] === 0)) {
        throw new UserError({ key: 'bulk.problem.nobodyFailed', values: {} });
      }
      return db.transaction(async (trx) => {
        const copy = await insertMailing(trx, newIdentity(), mailing, actor, id);
        await copyRecipients(trx, id, copy, FAILED_STATES);
        for (const file of await attachmentsOf(trx, id)) {
          await copyAttachment(trx, file.id, { id: randomUUID(), mailing: copy, actor });
        }
        return copy;
      });
    },
    get: need,
    async progress(id) {
      const noted = await need(id);
      const stuck = noted.state === 'running' ? runner.stuck() : null;
      const mailing = { ...noted, trouble: stuck ?? noted.trouble };
      const counts = (await countRecipients(db, [id])).get(id) ?? NO_COUNTS;
      const lately = await countSentLately(db, id, RATE_SECONDS);
      const ran = (Date.now() - (mailing.startedAt ?? new Date()).getTime()) / 1000;
      const perSecond = lately / Math.max(1, Math.min(RATE_SECONDS, ran));
      return { mailing, counts, perSecond, attachments: await attachmentsOf(db, id) };
    },
    async recipients(id, query) {
      const rows = await readRecipients(db, id, query);
      return { rows, matching: await countMatching(db, id, query) };
    },
    async list(query) {
      const mailings = await readMailings(db, query);
      const counts = await countRecipients(
        db,
        mailings.map(({ id }) => id),
      );
      return mailings.map((mailing) => ({
        mailing,
        counts: counts.get(mailing.id) ?? NO_COUNTS,
      }));
    },
  };
}

function newIdentity(): MailingIdentity {
  return { key: randomBytes(10).toString('hex'), secret: randomBytes(10).toString('hex') };
}

function plainPerson({ login, name, address }: Recipient | Chosen['people'][number]) {
  return { login, name, address };
}

function digestOf({ people }: Chosen): string {
  const text = people.map(({ address, name }) => `${address} ${name}`).join('\n');
  return createHash('sha256').update(text).digest('hex');
}

/** Of the whole message, with files as long as they become on the way. In bytes. */
function sizeOf(values: MailingValues, files: readonly Attachment[]): number {
  const { sender, senderName, subject, body, formatted } = values;
  const bare = {
    key: '0'.repeat(20),
    secret: '',
    from: sender,
    fromName: senderName,
    subject,
    body,
    formatted,
  };
  const text = messageBytes({ ...bare, attachments: [] });
  // Base64 in lines of 76 characters and their ends, and a header for each file.
  return files.reduce((sum, { size }) => sum + Math.ceil(size / 57) * 78 + 600, text);
}
