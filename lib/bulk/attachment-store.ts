/** Files of mailings, in pieces: the embedded database has one session, which a large row would hold up. */
import type { Knex } from 'knex';

const ATTACHMENTS = 'mail_bulk_attachments';
const PIECES = 'mail_bulk_attachment_pieces';

const PIECE_BYTES = 256 * 1024;
/** Files of a form that was never completed are kept so long, in hours. */
const LOOSE_HOURS = 24;
/** Mailings that are over keep their files while so many newer ones are not. */
const KEPT_WITH_FILES = 20;

export interface Attachment {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  /** In bytes. */
  readonly size: number;
}

/** Keeps a file that belongs to no mailing yet. */
export async function insertAttachment(
  db: Knex,
  file: Omit<Attachment, 'size'>,
  bytes: Buffer,
  actor: string,
): Promise<void> {
  await db(ATTACHMENTS)
    .whereNull('mailing')
    .whereRaw('at < clock_timestamp() - make_interval(hours => ?)', [LOOSE_HOURS])
    .delete();
  await db(ATTACHMENTS).insert({ ...file, size: bytes.length, actor });
  for (let at = 0, no = 0; at < bytes.length; at += PIECE_BYTES, no += 1) {
    await db(PIECES).insert({
      attachment: file.id,
      no,
      bytes: bytes.subarray(at, at + PIECE_BYTES),
    });
  }
}

/** Those of the mailing, and of the loose ones that this person brought, with these ids. */
export async function readAttachments(
  db: Knex,
  wanted: {
    readonly mailing: string | null;
    readonly ids: readonly string[];
    readonly actor: string;
  },
): Promise<readonly Attachment[]> {
  return db(ATTACHMENTS)
    .whereRaw('id = any(?::uuid[])', [[...wanted.ids]])
    .whereRaw('(mailing is null and actor = ? or mailing = ?)', [wanted.actor, wanted.mailing])
    .orderBy(['no', 'at', 'name'])
    .select<Attachment[]>('id', 'name', 'type', 'size');
}

export async function attachmentsOf(db: Knex, mailing: string): Promise<readonly Attachment[]> {
  return db(ATTACHMENTS)
    .where({ mailing })
    .orderBy(['no', 'name'])
    .select<Attachment[]>('id', 'name', 'type', 'size');
}

/** The mailing has exactly these, in their order. */
export async function keepAttachments(
  db: Knex,
  mailing: string,
  ids: readonly string[],
): Promise<void> {
  await db(ATTACHMENTS)
    .where({ mailing })
    .whereNotIn('id', [...ids])
    .delete();
  for (const [no, id] of ids.entries()) await db(ATTACHMENTS).where({ id }).update({ mailing, no });
}

export async function readBytes(db: Knex, attachment: string): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let no = 0; ; no += 1) {
    const piece = await db(PIECES)
      .where({ attachment, no })
      .first<{ bytes: Uint8Array } | undefined>('bytes');
    if (piece === undefined) return Buffer.concat(pieces);
    pieces.push(Buffer.from(piece.bytes));
  }
}

/** A second copy for another mailing. */
export async function copyAttachment(
  db: Knex,
  from: string,
  to: { readonly id: string; readonly mailing: string; readonly actor: string },
): Promise<void> {
  await db.raw(
    `insert into mail_bulk_attachments (id, mailing, no, name, type, size, actor)
     select ?, ?, no, name, type, size, ? from mail_bulk_attachments where id = ?`,
    [to.id, to.mailing, to.actor, from],
  );
  await db.raw(
    `insert into mail_bulk_attachment_pieces (attachment, no, bytes)
     select ?, no, bytes from mail_bulk_attachment_pieces where attachment = ?`,
    [to.id, from],
  );
}

/** What was sent long ago keeps its text and its results; its files go. */
export async function dropOldFiles(db: Knex): Promise<void> {
  await db.raw(
    `delete from mail_bulk_attachments where mailing in (
       select id from mail_bulk_mailings where state in ('done', 'cancelled')
        order by id desc offset ?)`,
    [KEPT_WITH_FILES],
  );
}
