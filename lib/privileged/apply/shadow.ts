/**
 * Proof before the swap, for changes that could make delivered mail vanish: a throw-away Postfix on the staged
 * configuration, in a private mount namespace with its own queue, log and mailboxes, is given a message for a local
 * user and must deliver it. It listens on no port and can send nothing away.
 */
import { cp, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HelperError } from '../../errors.js';
import { readsRecipientTable } from '../../recipients/section.js';
import { readText } from '../files.js';
import { CLEAN_ENVIRONMENT, runNative } from '../native.js';
import { empty, type PrivateNamespace } from '../namespace.js';
import type { Paths } from '../paths.js';
import { POSTCONF } from '../postfix/config-view.js';
import { parseMasterLine } from '../postfix/master.js';
import { SmtpDialogue } from '../smtp-dialogue.js';
import { openStageNamespace, privateLog } from './check.js';
import { firstLocalDomain } from './prove.js';
import type { Stage } from './stage.js';

/** How long the shadow has to come up, and then to deliver, in milliseconds each. */
const SHADOW_LIMIT_MS = 20_000;

/**
 * Nothing leaves the shadow: no filter, no relay, no outside transport. And nothing leads past the mailbox it is to prove:
 * no program of an alias or of the delivery, no other person, no copy to somebody else.
 */
const CONFINED = [
  'alias_maps=',
  'virtual_alias_maps=',
  'recipient_canonical_maps=',
  'canonical_maps=',
  'always_bcc=',
  'sender_bcc_maps=',
  'recipient_bcc_maps=',
  'forward_path=',
  'mailbox_command=',
  'mailbox_command_maps=',
  'default_transport=discard:shadow',
  'relay_transport=discard:shadow',
  'relayhost=',
  'transport_maps=',
  'content_filter=',
  'smtpd_proxy_filter=',
  'smtpd_milters=',
  'non_smtpd_milters=',
  'mynetworks=127.0.0.0/8',
];
const CONFINED_PROBE = ['smtpd_proxy_filter', 'smtpd_milters', 'content_filter'].map(
  (name) => `mailserver-probe/unix/${name}=`,
);

/** Where systemd runs, Debian 13 has it start the machine's Postfix instead, unless this says that systemd is asking. */
const STARTED_AS_SERVICE = { INVOCATION_ID: 'shadow' };

interface Recipient {
  readonly login: string;
  readonly uid: string;
  readonly gid: string;
  readonly home: string;
}

/**
 * Throws at stage `prove` when the shadow does not deliver. With LMTP it proves acceptance only: a delivered test
 * message would reach a real person.
 */
export async function proveOnShadow(stage: Stage, paths: Paths): Promise<void> {
  const domain = firstLocalDomain(stage.view);
  const people = !readsRecipientTable(stage.view.parameter('local_recipient_maps'));
  const recipient = domain === null ? null : await localUser(people);
  if (domain === null || recipient === null) return;
  const folder = await confinedCopy(stage, paths);
  const space = await openStageNamespace(folder, paths);
  try {
    await hideMailboxes(space, stage, recipient);
    await start(space, paths);
    const lmtp =
      stage.view.parameter('mailbox_transport') + stage.view.parameter('mailbox_transport_maps');
    await send(space, paths, `${recipient.login}@${domain}`, lmtp === '');
    if (lmtp === '') await delivered(space, paths, `${recipient.login}@${domain}`);
  } finally {
    space.close();
  }
}

/** A person's account, or root's where there are only system accounts, or people are others than the system's. */
async function localUser(people: boolean): Promise<Recipient | null> {
  const users = ((await readText('/etc/passwd')) ?? '').split('\n').flatMap((line) => {
    const [login = '', , uid = '', gid = '', , home = ''] = line.split(':');
    return login === '' ? [] : [{ login, uid, gid, home }];
  });
  const person = users.find(({ uid }) => people && Number(uid) >= 1000 && Number(uid) < 60_000);
  return person ?? users.find(({ uid }) => uid === '0') ?? null;
}

async function confinedCopy(stage: Stage, paths: Paths): Promise<string> {
  const folder = `${stage.folder}/shadow`;
  await mkdir(folder, { mode: 0o700 });
  for (const name of ['main.cf', 'master.cf']) {
    await cp(`${stage.folder}/${name}`, `${folder}/${name}`, { preserveTimestamps: true });
  }
  const listeners = stage.view.master
    .filter(({ line }) => parseMasterLine(line).type === 'inet')
    .map(({ name }) => name);
  const edits = [
    ...(listeners.length > 0 ? [['-MX', ...listeners]] : []),
    ['-P', ...CONFINED_PROBE],
    [
      '-e',
      ...CONFINED,
      `maillog_file=${paths.mailLog}`,
      `maillog_file_prefixes=/var, ${path.dirname(paths.mailLog)}`,
    ],
  ];
  for (const args of edits) {
    const answer = await runNative(POSTCONF, ['-c', folder, ...args]);
    if (answer.code !== 0) throw failed('helper.prove.shadow', answer.stderr);
  }
  return folder;
}

async function hideMailboxes(
  space: PrivateNamespace,
  stage: Stage,
  { home, uid, gid }: Recipient,
): Promise<void> {
  const spool = stage.view.parameter('mail_spool_directory');
  if (path.isAbsolute(spool)) await space.mount([empty(spool.replace(/\/$/, ''), 'mode=1777')]);
  const there = await space.run('/usr/bin/test', ['-d', home]);
  if (home !== '/' && there.code === 0) {
    await space.mount([empty(home, `mode=0700,uid=${uid},gid=${gid}`)]);
  }
}

async function start(space: PrivateNamespace, paths: Paths): Promise<void> {
  const environment = { ...CLEAN_ENVIRONMENT, ...STARTED_AS_SERVICE };
  const args = ['-c', paths.configDir, 'start'];
  const answer = await space.run('/usr/sbin/postfix', args, { environment });
  if (answer.code !== 0)
    throw failed('helper.prove.shadow', answer.stderr + (await privateLog(space, paths)));
}

async function send(
  space: PrivateNamespace,
  paths: Paths,
  recipient: string,
  wholeMessage: boolean,
): Promise<void> {
  const { dialogue } = await connect(space, paths);
  try {
    const lines = ['EHLO localhost', 'MAIL FROM:<>', `RCPT TO:<${recipient}>`];
    for (const line of lines) await expect(dialogue, line, 250);
    if (!wholeMessage) return;
    await expect(dialogue, 'DATA', 354);
    dialogue.push(['Subject: shadow', `To: ${recipient}`, '', 'Proof of delivery.']);
    await expect(dialogue, '.', 250);
  } finally {
    await dialogue.close();
  }
}

async function connect(space: PrivateNamespace, paths: Paths) {
  const socket = space.pathInside(`${paths.queueDir}/private/mailserver-probe`);
  for (const end = Date.now() + SHADOW_LIMIT_MS; ; await sleep(50)) {
    try {
      return await SmtpDialogue.open({ path: socket }, SHADOW_LIMIT_MS);
    } catch (error) {
      if (Date.now() > end) {
        throw failed('helper.prove.shadow', `${String(error)}\n${await privateLog(space, paths)}`);
      }
    }
  }
}

async function expect(dialogue: SmtpDialogue, line: string, code: number): Promise<void> {
  const reply = await dialogue.say(line);
  if (reply.code !== code)
    throw failed('helper.prove.shadowRefused', dialogue.transcript.join('\n'));
}

/** The log of the shadow says what became of the one message it ever saw. */
async function delivered(space: PrivateNamespace, paths: Paths, recipient: string): Promise<void> {
  for (const end = Date.now() + SHADOW_LIMIT_MS; Date.now() < end; await sleep(50)) {
    const log = await privateLog(space, paths);
    const fate = log.split('\n').find((line) => line.includes(` to=<${recipient}>, `));
    if (fate !== undefined) {
      if (/ relay=local, .* status=sent /.test(fate)) return;
      throw failed('helper.prove.shadowLost', log);
    }
  }
  throw failed('helper.prove.shadowLost', await privateLog(space, paths));
}

function failed(key: string, detail: string): HelperError {
  return new HelperError({ stage: 'prove', key, values: {}, detail, restored: true });
}
