/**
 * The scanners: `load [messages]` sends mail through the full chain and through the bare Postfix in the same run, and counts
 * what arrived; `kills [messages]` sends as many, kills scanner and amavis in the middle and puts them right; `steps [count]
 * [seed]` takes random steps, after each of which the picture of the chain must be right.
 */
import { readFile } from 'node:fs/promises';
import { SECURITY_DEFAULTS } from '../lib/security/schema.js';
import { readMbox } from '../test/support/mailbox.js';
import { startPostfixRoot, type PostfixRoot } from '../test/support/postfix-root.js';
import { Saver } from '../test/support/saver.js';
import { runScanLoad } from '../test/support/scan-load.js';
import { runScanRounds } from '../test/support/scan-rounds.js';
import { until } from '../test/support/wait.js';

const [what = 'load', first, second] = process.argv.slice(2);
/** Connections at once, as a small server has them. */
const SENDERS = 8;
const MESSAGE_BYTES = 4_000;
/** The slowest a chain may be before the bench gives up, in milliseconds per message. */
const PATIENCE_MS = 2_000;

const root = await startPostfixRoot({ started: false });
try {
  // So that strangers can be simulated.
  const setting = 'smtpd_authorized_xclient_hosts=127.0.0.1';
  await root.run('/usr/sbin/postconf', ['-c', root.places.configDir, '-e', setting]);
  await root.postfix('start');
  const saver = new Saver(root.helper);
  await saver.save({ domains: { names: ['lab.test'] } });
  if (what === 'steps')
    await steps(saver, Number(first ?? 100), Number(second ?? Date.now() % 1e6));
  else if (what === 'kills') await kills(saver, Number(first ?? 1_000));
  else await load(saver, Number(first ?? 1_000));
} finally {
  await root.stop();
}

async function steps(saver: Saver, count: number, seed: number): Promise<void> {
  process.stdout.write(`seed ${seed}\n`);
  let done = 0;
  await runScanRounds(root, saver, {
    ...{ count, seed },
    onRound: ({ step, gaps, ms }) => {
      done += 1;
      process.stdout.write(`${done}/${count}  ${ms} ms  ${step}  gaps: ${gaps}\n`);
    },
  });
  process.stdout.write(`${count} steps, and the picture was right after each\n`);
}

async function kills(saver: Saver, messages: number): Promise<void> {
  const { places } = root;
  const kill = async (name: string): Promise<void> => {
    const file = `${places.root}/run/mailserver-daemons/${name}.pid`;
    process.kill(-Number((await readFile(file, 'utf8')).split(' ')[0]), 'SIGKILL');
  };
  for (const [place, login] of [
    ['after', 'alice'],
    ['before', 'bob'],
  ] as const) {
    await saver.save({ security: { ...SECURITY_DEFAULTS, spam: true, virus: true, place } });
    const { putOff, refused } = await runScanLoad(root, {
      ...{ messages, infectedEvery: 10, login },
      breakIt: async () => {
        const before = (await readFile(places.mailLog, 'utf8')).length;
        await kill('clamav-daemon');
        // What it had answered is through by then: amavis killed between handing on and saying so has mail come twice.
        await until('the scanner to be missed', async () =>
          /virus_scan/.test((await readFile(places.mailLog, 'utf8')).slice(before)),
        );
        await kill('amavis');
      },
      mendIt: async () => {
        const parts = ['group', 'freshclam', 'clamav', 'amavis'] as const;
        await root.helper.call('security-repair', { parts }, { actor: 'bench' });
      },
    });
    process.stdout.write(
      `${place}: ${messages} messages, scanner and amavis killed: none lost, none unscanned, ${refused} with a virus refused, ${putOff} tries put off\n`,
    );
  }
}

async function load(saver: Saver, messages: number): Promise<void> {
  const bare = await send('bare', messages);
  await saver.save({ security: { ...SECURITY_DEFAULTS, spam: true, virus: true } });
  const after = await send('after', messages);
  await saver.save({
    security: { ...SECURITY_DEFAULTS, spam: true, virus: true, place: 'before' },
  });
  const before = await send('before', messages);
  process.stdout.write(
    `through the chain after the queue ${(after / bare).toFixed(1)} times as long, before it ${(before / bare).toFixed(1)} times\n`,
  );
}

/** Resolves with how long it took until all had arrived, in milliseconds. Throws when one is lost or comes twice. */
async function send(name: string, messages: number): Promise<number> {
  const login = { bare: 'alice', after: 'bob', before: 'carol' }[name] ?? 'alice';
  const began = performance.now();
  const many = ['-s', String(SENDERS), '-m', String(messages), '-l', String(MESSAGE_BYTES)];
  const answer = await root.run(
    '/usr/sbin/smtp-source',
    [...many, '-f', 'x@client.example', '-t', `${login}@lab.test`, `127.0.0.1:${root.smtpPort}`],
    { timeoutMs: messages * PATIENCE_MS },
  );
  if (answer.code !== 0) throw new Error(`smtp-source: ${answer.stderr}`);
  const taken = performance.now() - began;
  const arrived = await until(
    `${messages} messages for ${login}`,
    async () => {
      const count = await countOf(root, login);
      return count >= messages ? count : undefined;
    },
    messages * PATIENCE_MS,
  );
  const took = performance.now() - began;
  if (arrived !== messages) throw new Error(`${arrived} arrived of ${messages}`);
  const rate = (1_000 * messages) / took;
  process.stdout.write(
    `${name.padEnd(7)} ${messages} messages: taken after ${Math.round(taken)} ms, all there after ${Math.round(took)} ms, ${rate.toFixed(1)} a second\n`,
  );
  return took;
}

async function countOf({ places }: PostfixRoot, login: string): Promise<number> {
  return (await readMbox(`${places.mailboxes}/${login}`)).length;
}
