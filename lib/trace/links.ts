/** Which queue ids a line is about, and which mail goes on under which other id. */
import { isQueueId } from '../queue/id.js';
import type { ParsedLine } from './line.js';

/** A word of the log that can be a queue id, short or long. */
const ID = String.raw`([0-9A-Za-z]{6,41})`;
const OWN = new RegExp(`^(?:warning: )?${ID}: `);
const LOOPBACK = String.raw`[^ ,[]*\[(?:127\.[\d.]+|::1)\](?::\d+)?`;
/** A filter on this machine took the mail and handed it back; another server's words do not count. */
const HANDED_BACK = new RegExp(
  `, relay=${LOOPBACK}, .*status=sent \\(2\\d\\d .*\\bqueued as ${ID}\\)?`,
);
const FORWARDED = new RegExp(String.raw`status=sent \(forwarded as ${ID}\)$`);
const BEFORE = new RegExp(String.raw`\b(?:orig_queue_id|orig_id)=${ID}`);
/** The same of a filter that stands before the queue. */
const PROXIED = new RegExp(`^NOQUEUE: proxy-accept: .*\\bqueued as ${ID}[;)]`);
const AMAVIS_ID = new RegExp(String.raw`, Queue-ID: ${ID}[,\s]`);
const AMAVIS_NEXT = new RegExp(String.raw`, queued_as: ${ID}[,\s/]`);

export interface LineIds {
  /** The id the line is about; '' when it has none. */
  readonly own: string;
  /** Ids of the same mail before or after; a notice to the sender is a mail of its own. */
  readonly linked: readonly string[];
}

export function idsOf({ program, text }: Pick<ParsedLine, 'program' | 'text'>): LineIds {
  if (program.startsWith('amavis')) {
    const own = capture(AMAVIS_ID, text);
    return { own, linked: [capture(AMAVIS_NEXT, text)].filter((id) => id !== '') };
  }
  const own = capture(OWN, text);
  if (own === '' && !text.startsWith('NOQUEUE: ')) return { own: '', linked: [] };
  const patterns =
    own === ''
      ? [PROXIED]
      : program.endsWith('/local')
        ? [FORWARDED]
        : program.endsWith('/smtpd') || program.endsWith('/pickup')
          ? [BEFORE]
          : [HANDED_BACK];
  const linked = patterns.map((pattern) => capture(pattern, text)).filter((id) => id !== '');
  return { own, linked };
}

function capture(pattern: RegExp, text: string): string {
  const id = pattern.exec(text)?.[1] ?? '';
  return isQueueId(id) ? id : '';
}
