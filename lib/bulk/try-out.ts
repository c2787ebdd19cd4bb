/** One message of a mailing to somebody who looks at it first. */
import { randomBytes } from 'node:crypto';
import type { Knex } from 'knex';
import { noHelper } from '../changes/failures.js';
import type { Helper } from '../client/helper.js';
import { HelperError } from '../errors.js';
import { writerOf } from './runner.js';
import { SmtpError, SmtpSession } from './smtp.js';
import type { Mailing } from './store.js';
import type { Addressee } from './template.js';

/** Returns its queue id. Throws a `HelperError` when the mail server does not take it. */
export async function tryOut(
  { db, helper }: { readonly db: Knex; readonly helper: Helper | null },
  mailing: Mailing,
  addressee: Addressee,
): Promise<string> {
  if (helper === null) throw noHelper();
  const { host, port } = await helper.call('bulk-door', {}, { actor: 'bulk' });
  const writer = await writerOf(db, mailing);
  const number = `test-${randomBytes(6).toString('hex')}`;
  const session = await SmtpSession.open(host, port).catch(failedBy);
  const pieces = writer.write(addressee, number, new Date());
  const delivery = await session.send({ from: mailing.sender, to: addressee.address }, pieces);
  await session.close();
  if (delivery.kind !== 'accepted') throw failed(delivery.reply);
  return delivery.queueId;
}

function failedBy(error: unknown): never {
  const known = error instanceof SmtpError || (error as NodeJS.ErrnoException).code !== undefined;
  throw known ? failed((error as Error).message) : error;
}

function failed(detail: string): HelperError {
  const key = 'bulk.test.failed';
  return new HelperError({ stage: 'run', key, values: {}, detail, restored: true });
}
