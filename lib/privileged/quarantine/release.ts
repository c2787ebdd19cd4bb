/** Hands a mail that was kept back to Postfix, behind the content filter, so that it arrives and is not caught again. */
import { readFrontFields, recipientsOf, readRow, startOfMail } from '../../quarantine/header.js';
import { kindOf, type QuarantineFailure } from '../../quarantine/schema.js';
import { SmtpDialogue, type SmtpReply } from '../smtp-dialogue.js';
import type { QuarantineFolder } from './folder.js';

/** How long Postfix may take for one answer, in milliseconds: it syncs a large message to disk. */
const ANSWER_MS = 300_000;
/** What the filter wrote in front of a mail must fit into it, in bytes: a line for each of a thousand recipients. */
const MAX_FRONT_BYTES = 512 * 1024;

type Failed = Omit<QuarantineFailure, 'id'>;

/** Null when Postfix took it for all its recipients, `gone` when it is not there any more. */
export async function releaseMail(
  folder: QuarantineFolder,
  id: string,
  {
    host,
    port,
    evenInfected,
  }: { readonly host: string; readonly port: number; readonly evenInfected: boolean },
): Promise<Failed | 'gone' | null> {
  if (kindOf(id) === 'virus' && !evenInfected) return { why: 'infected', detail: '' };
  const head = await folder.head(id, MAX_FRONT_BYTES);
  if (head === null || head.length === 0) return 'gone';
  const skip = startOfMail(head);
  // Where the end is not in sight, some recipients are not either.
  if (head.length >= MAX_FRONT_BYTES && !head.includes('\n', skip)) {
    return { why: 'broken', detail: 'header' };
  }
  const recipients = recipientsOf(readFrontFields(head));
  const { sender } = readRow(head, { id, size: 0, at: 0 });
  if (recipients.length === 0) return { why: 'broken', detail: '' };
  if ([sender, ...recipients].some((address) => !isPath(address))) {
    return { why: 'broken', detail: 'address' };
  }
  return send(folder, id, { host, port, sender, recipients, skip });
}

/** What can stand in `MAIL FROM:<…>` without ending it. */
function isPath(address: string): boolean {
  // eslint-disable-next-line no-control-regex -- these would end the line
  return address.length <= 320 && !/[\u0000-\u001f\u007f<>]/.test(address);
}

async function send(
  folder: QuarantineFolder,
  id: string,
  {
    host,
    port,
    sender,
    recipients,
    skip,
  }: {
    readonly host: string;
    readonly port: number;
    readonly sender: string;
    readonly recipients: readonly string[];
    /** Bytes in front of the mail that the filter wrote. */
    readonly skip: number;
  },
): Promise<Failed | 'gone' | null> {
  const { dialogue, banner } = await SmtpDialogue.open({ host, port }, ANSWER_MS);
  const said = ({ lines }: SmtpReply): Failed => ({ why: 'refused', detail: lines.join(' ') });
  try {
    if (banner.code !== 220) return said(banner);
    const hello = await dialogue.say('EHLO localhost');
    const utf8 = hello.lines.some((line) => line.includes('SMTPUTF8'));
    const wide = [sender, ...recipients].some((address) => /[^\u0020-\u007e]/.test(address));
    const from = await dialogue.say(`MAIL FROM:<${sender}>${wide && utf8 ? ' SMTPUTF8' : ''}`);
    if (from.code !== 250) return said(from);
    for (const recipient of recipients) {
      const to = await dialogue.say(`RCPT TO:<${recipient}>`);
      // All of them or none: otherwise those who got it would get it again.
      if (to.code !== 250) return said(to);
    }
    const data = await dialogue.say('DATA');
    if (data.code !== 354) return said(data);
    // Somebody may have deleted it meanwhile: nobody is to get half a mail, or an empty one.
    if (!(await pour(folder, id, skip, dialogue))) return 'gone';
    const end = await dialogue.say('.');
    return end.code === 250 ? null : said(end);
  } finally {
    await dialogue.close();
  }
}

/** Sends the content line by line; bytes stay as they are. False when there is none; then, as on a failure, nothing is sent. */
async function pour(
  folder: QuarantineFolder,
  id: string,
  skip: number,
  dialogue: SmtpDialogue,
): Promise<boolean> {
  let left = skip;
  let read = 0;
  /** Of the line that is not at its end yet. */
  let held: string[] = [];
  try {
    for await (const chunk of folder.content(id)) {
      read += chunk.length;
      const piece = chunk.subarray(Math.min(left, chunk.length));
      left -= chunk.length - piece.length;
      const [first = '', ...rest] = piece.toString('latin1').split('\n');
      held.push(first);
      if (rest.length === 0) continue;
      const tail = rest.pop() ?? '';
      await dialogue.pour([held.join(''), ...rest]);
      held = [tail];
    }
  } catch (error) {
    dialogue.drop();
    throw error;
  }
  if (read === 0) {
    dialogue.drop();
    return false;
  }
  const last = held.join('');
  if (last !== '') await dialogue.pour([last]);
  return true;
}
