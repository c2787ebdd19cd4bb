/**
 * A private Postfix whose mail waits: everything goes to a server of ours that puts it off in the words that a test gives,
 * or to a port where nobody listens.
 */
import { writeFile } from 'node:fs/promises';
import { Picture } from '../../lib/queue/picture.js';
import type { QueueRow } from '../../lib/queue/schema.js';
import { startPostfixRoot, type PostfixRoot } from './postfix-root.js';
import { SmtpClient } from './smtp-client.js';
import { startSmtpSink, type SmtpSink } from './smtp-sink.js';
import { until } from './wait.js';

/** Nobody listens at this port, so that the kernel refuses the connection. */
const CLOSED_PORT = 1;
/** Mail to this domain meets a closed port. */
export const CLOSED_DOMAIN = 'closed.example';

export interface QueueMail {
  readonly from?: string;
  readonly to: string | readonly string[];
  readonly subject?: string;
  readonly body?: string;
  /** The whole message with its header. */
  readonly raw?: string | Buffer;
  /** Addresses that are not ASCII, which SMTP has to be told. */
  readonly utf8?: boolean;
}

export interface QueueRoot extends PostfixRoot {
  readonly sink: SmtpSink;
  /** Changes main.cf and has Postfix read it. */
  set(parameters: Readonly<Record<string, string>>): Promise<void>;
  /** Hands one mail in, and returns its id. */
  mail(mail: QueueMail): Promise<string>;
  /** Everything in the queue. */
  rows(): Promise<readonly QueueRow[]>;
  /** Waits until the message is in that queue. */
  waitFor(id: string, queue: QueueRow['queue']): Promise<QueueRow>;
  /** `postsuper` or another tool of Postfix, on this root. */
  tool(program: 'postsuper' | 'postqueue' | 'postcat', ...args: string[]): Promise<string>;
  /** Many messages at once, put off by the closed port. Resolves when all are in the queue. */
  bulk(count: number): Promise<void>;
}

/** What the server says to a recipient, by address; the others are taken. */
export type Tempers = Readonly<Record<string, { readonly code: number; readonly text: string }>>;

export async function startQueueRoot(
  tempers: Tempers = {},
  settings: Readonly<Record<string, string>> = {},
): Promise<QueueRoot> {
  const sink = await startSmtpSink({
    refuse: (stage, value) => (stage === 'recipient' ? tempers[value] : null),
  });
  const root = await startPostfixRoot({ started: false });
  const { configDir } = root.places;
  const edit = async (parameters: Readonly<Record<string, string>>): Promise<void> => {
    const list = Object.entries(parameters).map(([name, value]) => `${name}=${value}`);
    const { code, stderr } = await root.run('/usr/sbin/postconf', ['-c', configDir, '-e', ...list]);
    if (code !== 0) throw new Error(`postconf: ${stderr}`);
  };
  const table = `${configDir}/test-transport`;
  await writeFile(table, `/@closed\\.example$/ smtp:[127.0.0.1]:${CLOSED_PORT}\n`);
  await edit({
    relayhost: `[127.0.0.1]:${sink.port}`,
    transport_maps: `regexp:${table}`,
    smtpd_recipient_limit: '10000',
    // A refused connection says nothing about the next mail.
    default_destination_concurrency_failed_cohort_limit: '0',
    ...settings,
  });
  const started = await root.postfix('start');
  if (started.code !== 0) {
    await Promise.all([root.stop(), sink.stop()]);
    throw new Error(`Postfix did not start: ${started.stderr}`);
  }
  const rows = async (): Promise<readonly QueueRow[]> => {
    const picture = new Picture();
    await root.helper.call(
      'queue-list',
      { limit: null, wholeUpTo: 0 },
      {
        actor: 'test',
        onProgress: ({ row }) => picture.putPiece(Buffer.from(row as string, 'base64')),
      },
    );
    return Array.from({ length: picture.rows }, (_, row) => picture.message(row));
  };
  return {
    ...root,
    sink,
    rows,
    async set(parameters) {
      await edit(parameters);
      await root.reload();
    },
    mail: ({ from = 'anna@acme.example', to, subject, body, raw, utf8 = false }) =>
      submit(root.smtpPort, { from, to, raw: raw ?? composed(subject, body), utf8 }),
    waitFor: (id, queue) =>
      until(`${id} in ${queue}`, async () =>
        (await rows()).find((row) => row.id === id && row.queue === queue),
      ),
    async tool(program, ...args) {
      const { stdout, stderr } = await root.run(`/usr/sbin/${program}`, ['-c', configDir, ...args]);
      return stdout + stderr;
    },
    async bulk(count) {
      const to = `bulk@${CLOSED_DOMAIN}`;
      const many = ['-s', '10', '-m', String(count), '-l', '500'];
      const { code, stderr } = await root.run(
        '/usr/sbin/smtp-source',
        [...many, '-f', 'bulk@acme.example', '-t', to, `127.0.0.1:${root.smtpPort}`],
        { timeoutMs: 300_000 },
      );
      if (code !== 0) throw new Error(`smtp-source: ${stderr}`);
    },
    async stop() {
      await root.stop();
      await sink.stop();
    },
  };
}

let counter = 0;

function composed(subject?: string, body?: string): string {
  counter += 1;
  return [
    'From: Anna Berger <anna@acme.example>',
    `Subject: ${subject ?? `test ${counter}`}`,
    `Message-ID: <${process.pid}.${counter}@acme.example>`,
    'Date: Mon, 16 Nov 2026 09:00:00 +0000',
    '',
    body ?? 'Hello',
    '',
  ].join('\r\n');
}

/** Hands a mail in over SMTP, with the word that it needs when addresses are not ASCII. */
async function submit(
  port: number,
  { from, to, raw, utf8 }: Required<Pick<QueueMail, 'from' | 'to' | 'raw' | 'utf8'>>,
): Promise<string> {
  const [client] = await SmtpClient.open(port);
  try {
    const recipients = typeof to === 'string' ? [to] : to;
    const replies = [
      await client.command('EHLO client.example'),
      await client.command(`MAIL FROM:<${from}>${utf8 ? ' SMTPUTF8' : ''}`),
    ];
    for (const address of recipients) replies.push(await client.command(`RCPT TO:<${address}>`));
    replies.push(await client.command('DATA'), await client.message(raw));
    const [, id] = /queued as (\S+)/.exec(replies.at(-1)?.text ?? '') ?? [];
    if (id === undefined) throw new Error(`not queued: ${JSON.stringify(replies)}`);
    return id;
  } finally {
    client.close();
  }
}
