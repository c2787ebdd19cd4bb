/**
 * Random aliases in a lab: what the page says of where mail would go, beside where it really goes. Each round imports a
 * handful of aliases that lead to each other, sends a mail to every one of them, and compares.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { ConsoleClient } from './console-client.js';
import type { Lab } from './lab.js';
import type { SmtpSink } from './smtp-sink.js';
import { until } from './wait.js';

export const DOMAIN = 'example.org';
const SENDER = 'sender@example.net';
const USERS = ['alice', 'bob', 'carol', 'dave'] as const;
const TRANSFER = '/mail/aliases/transfer';

/** An alias as a line of a file. */
interface Drawn {
  readonly name: string;
  readonly targets: readonly string[];
  readonly enabled: boolean;
}

export interface RoundParts {
  readonly lab: Lab;
  readonly client: ConsoleClient;
  /** Where mail to outside arrives. */
  readonly sink: SmtpSink;
  /** Numbers from 0 up to, but without, 1. */
  readonly random: () => number;
}

/** Aliases that lead to users, to addresses outside, to nobody, and to those that were drawn before. */
export function drawAliases(round: number, random: () => number): readonly Drawn[] {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const drawn: Drawn[] = [];
  for (let index = 0; index < 8; index += 1) {
    const own = `r${round}n${index}`;
    const name = random() < 0.3 ? `${own}@${DOMAIN}` : own;
    const target = (): string => {
      const chance = random();
      const before = pick(drawn)?.name;
      const bare = before?.split('@')[0] ?? 'alice';
      if (chance < 0.35 && before !== undefined) return pick([bare, `${bare}@${DOMAIN}`, before]);
      if (chance < 0.5) return `out${Math.floor(random() * 5)}@outside.example`;
      if (chance < 0.6) return `ghost${round}@${DOMAIN}`;
      return pick([pick(USERS), `${pick(USERS)}@${DOMAIN}`, `${pick(USERS)}+tag`]);
    };
    const targets = [...new Set(Array.from({ length: 1 + Math.floor(random() * 3) }, target))];
    drawn.push({ name, targets, enabled: random() < 0.85 });
  }
  // One that stands in front of a mailbox, with and without the mailbox itself.
  const user = pick(USERS);
  const more = random() < 0.5 ? [user] : [];
  drawn.push({ name: user, targets: [`out9@outside.example`, ...more], enabled: random() < 0.7 });
  return drawn;
}

/** Throws when the page and the mail disagree. Gives the number of mails. */
export async function playRound(round: number, parts: RoundParts): Promise<number> {
  const { lab, client, sink, random } = parts;
  const drawn = drawAliases(round, random);
  await importAliases(client, drawn);
  const addresses = drawn.flatMap(({ name }) => {
    const address = name.includes('@') ? name : `${name}@${DOMAIN}`;
    return random() < 0.3 ? [address, address.replace('@', '+news@')] : [address];
  });
  const mails = await Promise.all(
    addresses.map(async (address, index) => {
      const said = await readEnds(client, address);
      const subject = `round-${round}-mail-${index}-end`;
      const { recipients } = await lab.sendMail({ from: SENDER, to: address, subject });
      return { address, said, subject, taken: recipients[0]?.code === 250 };
    }),
  );
  await until('an empty queue', async () => (await queueLength(lab)) === 0 || undefined);
  for (const { address, said, subject, taken } of mails) {
    const really = await endsOf(lab, sink, subject);
    const wanted = [...new Set(said.filter((end) => end !== 'nobody'))].sort();
    const words = `${address}, from ${JSON.stringify(drawn)}`;
    assert.deepEqual(really, taken ? wanted : [], words);
    if (wanted.length > 0) assert.ok(taken, `refused: ${words}`);
  }
  return mails.length;
}

async function importAliases(client: ConsoleClient, drawn: readonly Drawn[]): Promise<void> {
  const lines = drawn.map(
    ({ name, targets, enabled }) => `${name},${targets.join(' ')},,${enabled ? 'yes' : 'no'}`,
  );
  const text = ['name,targets,note,enabled', ...lines].join('\n');
  const form = new FormData();
  const page = await client.get(TRANSFER);
  form.set('_csrf', /name="_csrf" value="([^"]+)"/.exec(page.html)?.[1] ?? '');
  form.set('file', new Blob([text]), 'aliases.csv');
  const sent = await client.request('POST', TRANSFER, form);
  const preview = sent.headers.get('location') ?? '';
  const idle = () =>
    until('the end of the import', async () => {
      const shown = await client.get(preview);
      return shown.html.includes('id="import"') ? undefined : shown;
    });
  const shown = await idle();
  await client.send(shown, {}, { action: preview });
  const done = await idle();
  assert.match(done.text, /The aliases are imported/, `${text}\n${done.text}`);
}

/** What the page says: users by name, addresses outside whole, `nobody`. It must agree with the settings. */
async function readEnds(client: ConsoleClient, address: string): Promise<readonly string[]> {
  const { html, text } = await client.get(`/mail/route?address=${encodeURIComponent(address)}`);
  assert.match(text, /The settings say the same/, `${address}: ${text}`);
  const rows = html.matchAll(
    /<th scope="row"><bdi>([^<]+)<\/bdi><\/th>\s*<td[^>]*><span><span class="chip \w+">.*?<\/svg>([^<]+)</g,
  );
  return [...rows].map(([, end = '', word = '']) => {
    if (word.trim() === 'nobody') return 'nobody';
    return word.trim() === 'outside' ? end : (end.split(/[@+]/)[0] ?? '');
  });
}

/** Where a mail arrived. A bounce is another mail: it has no sender. */
async function endsOf(lab: Lab, sink: SmtpSink, subject: string): Promise<readonly string[]> {
  const has = (raw: string): boolean => raw.split(/\r?\n\r?\n/)[0]?.includes(subject) === true;
  const ends: string[] = [];
  for (const user of USERS) {
    if ((await lab.mailbox(user)).some(has)) ends.push(user);
  }
  const outside = sink.messages.filter(({ from, raw }) => from === SENDER && has(raw));
  return [...new Set([...ends, ...outside.flatMap(({ to }) => to)])].sort();
}

async function queueLength(lab: Lab): Promise<number> {
  const args = ['-c', lab.configDir, '-j'];
  const { stdout } = await promisify(execFile)('/usr/sbin/postqueue', args);
  return stdout.split('\n').filter((line) => line !== '').length;
}
