/** Telling data for a lab: every list has rows of every kind, the queue holds hostile mail, somebody edited a file. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { ConsoleClient, Page, Typed } from './console-client.js';
import { sendMail, type Delivery, type Message } from './smtp-client.js';
import { until } from './wait.js';

const run = promisify(execFile);

const CONFIGURATION = '/mail/configuration';
const SAVE = { button: 'intent=save' };

/** What of a lab is needed; `startLab()` gives it, `lab.json` as well. */
export interface FillableLab {
  readonly smtpPort: number;
  readonly configDir: string;
  signIn(): Promise<ConsoleClient>;
}

/** A subject that is markup, and what is left of it when it is shown as text. */
export const HOSTILE_SUBJECT = '"><img src=x onerror=alert(1)><script>alert(2)</script>';

const HOSTILE_MAIL = [
  'From: "<script>alert(3)</script>" <alice@example.com>',
  'To: <somebody@outside.example>',
  `Subject: ${HOSTILE_SUBJECT}`,
  'X-Evil: <style>body{display:none}</style>',
  'MIME-Version: 1.0',
  'Content-Type: multipart/mixed; boundary="=_b"',
  '',
  '--=_b',
  'Content-Type: text/html; charset=utf-8',
  '',
  '<p onclick="alert(4)">Hello<script>alert(5)</script><img src="https://tracker.example/x.gif"></p>',
  '--=_b',
  'Content-Type: application/pdf; name="../../etc/passwd"',
  'Content-Disposition: attachment; filename="../../etc/<b>passwd</b>"',
  'Content-Transfer-Encoding: base64',
  '',
  'JVBERi0xLjQK',
  '--=_b--',
  '',
].join('\r\n');

/** Users of a lab get mail from one another; `outside.example` cannot be reached from it. */
const MAILS: readonly Message[] = [
  { from: 'alice@example.com', to: 'somebody@outside.example', raw: HOSTILE_MAIL },
  {
    from: 'bob@example.com',
    to: ['one@outside.example', 'two@outside.example', 'three@elsewhere.example'],
    subject:
      'Minutes of a meeting with a subject that is far longer than anybody would want to read',
  },
  { from: '', to: 'carol@elsewhere.example', subject: 'Undelivered Mail Returned to Sender' },
  {
    from: 'a.very.long.local.part.that.goes.on.and.on@example.com',
    to: `${'long.'.repeat(10)}name@${'sub.'.repeat(20)}outside.example`,
    subject: 'Überraschung: ein langer Name',
  },
];

/**
 * Fills everything the pages show; takes some seconds. Resolves with the queue id of the hostile mail; rejects when a page
 * refuses what it should take.
 */
export async function fillLab(lab: FillableLab): Promise<string> {
  const admin = await lab.signIn();
  const save = async (path: string, typed: Typed, options: object = SAVE): Promise<Page> => {
    const page = await admin.submit(path, typed, options);
    if (page.status !== 200) throw new Error(`${path}: ${page.status} ${page.text.slice(0, 800)}`);
    return page;
  };
  await save(`${CONFIGURATION}/base`, { mailServerName: 'mail.example.com' });
  for (const name of ['example.com', 'müller.example']) {
    await save(
      `${CONFIGURATION}/domains`,
      { name },
      { action: `${CONFIGURATION}/domains`, ...SAVE },
    );
  }
  await save(`${CONFIGURATION}/smarthost`, {
    ...{
      host: 'relay.provider.example',
      port: '587',
      username: 'relay-user',
      password: 'not "shown" <again>',
    },
  });
  for (const [network, note] of [
    ['192.168.10.0/24', 'the office'],
    ['fd12:3456:789a::7', '<i>the printer</i>'],
  ] as const) {
    const options = { action: `${CONFIGURATION}/relay-subnets`, ...SAVE };
    await save(`${CONFIGURATION}/relay-subnets`, { network, note }, options);
  }
  await fillAliases(admin, save);
  await save('/mail/fetchmail/new', {
    ...{ name: 'the old provider', sameServer: null, server: 'imap.provider.example' },
    ...{ remoteUser: 'office', remotePassword: 'never shown', users: 'alice' },
  });
  await fillBulk(admin, save);
  for (const mail of MAILS) await mustSend(lab.smtpPort, mail);
  const waiting = await until('all mail to be deferred', async () => {
    const queue = await run('/usr/sbin/postqueue', ['-c', lab.configDir, '-j']);
    const lines = queue.stdout.split('\n').filter((line) => line.includes('"delay_reason"'));
    return lines.length === MAILS.length ? lines : null;
  });
  // Somebody edits main.cf by hand: a setting of ours.
  await run('/usr/sbin/postconf', [
    '-c',
    lab.configDir,
    '-e',
    'relayhost = [edited.by.hand.example]:587',
  ]);
  const hostile = waiting.find((line) => line.includes('"alice@example.com"')) ?? '{}';
  return (JSON.parse(hostile) as { queue_id: string }).queue_id;
}

async function fillAliases(
  admin: ConsoleClient,
  save: (path: string, typed: Typed, options?: object) => Promise<Page>,
): Promise<void> {
  const path = '/mail/aliases/new';
  const options = { action: path, ...SAVE };
  const add = (name: string, targets: string[], more: Typed = {}): Promise<Page> =>
    save(path, { name, targets, ...more }, options);
  await add('sales', ['alice', 'bob', 'partner@outside.example'], { note: '"><b>new & old</b>' });
  await add('@example.com', ['carol'], { note: 'whatever nobody else gets' });
  await add('switched-off', ['alice'], { enabled: null });
  // Doubtful ones are taken when somebody says they are meant.
  for (const [name, target] of [
    ['bob', 'carol'],
    ['former', 'nobody-here'],
  ] as const) {
    const answer = await admin.submit(path, { name, targets: [target] }, options);
    const taken = answer.status === 422 ? await admin.send(answer, { sure: '1' }, options) : answer;
    if (taken.status !== 200) throw new Error(`${name}: ${taken.text}`);
  }
}

/** A mailing that was sent, and a draft with all that a draft can have. */
async function fillBulk(
  admin: ConsoleClient,
  save: (path: string, typed: Typed, options?: object) => Promise<Page>,
): Promise<void> {
  const path = '/mail/bulk/new';
  const options = { action: path };
  const from = 'bob@example.com';
  const sent = { from, subject: 'Maintenance on Friday', body: 'Dear {name},\n\nhello.', rate: '' };
  const page = await save(path, sent, options);
  const { pathname } = new URL(page.url);
  await save(pathname, {}, { action: `${pathname}/send` });
  await until('the mailing to be sent', async () =>
    (await admin.get(pathname)).text.includes('The mailing is sent'),
  );
  const body =
    '# News <b>\n\n- **one** https://example.com/?a=1\n- *two* {nmae}\n\n<script>x</script>';
  const fromName = '"><img src=x> Büro';
  const draft = { from, fromName, subject: HOSTILE_SUBJECT, body, excludeNames: 'erika' };
  await save(path, draft, options);
}

async function mustSend(port: number, mail: Message): Promise<void> {
  const answer: Delivery = await sendMail(port, mail);
  if (answer.data?.code !== 250) throw new Error(`not taken: ${JSON.stringify(answer)}`);
}
