/**
 * Random aliases that lead to each other, to outside and to nobody, with a mail to each of them: where it really goes must
 * be what the page “Where would mail go?” says. `node dist/bench/routes.js [rounds] [seed]`, as root.
 */
import { DOMAIN, playRound } from '../test/support/alias-rounds.js';
import { startLab } from '../test/support/lab.js';
import { randomNumbers } from '../test/support/random-numbers.js';
import { startSmtpSink } from '../test/support/smtp-sink.js';

const DEFAULT_ROUNDS = 50;

const rounds = Number(process.argv[2] ?? DEFAULT_ROUNDS);
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000);

const random = randomNumbers(seed);

const sink = await startSmtpSink();
const lab = await startLab();
try {
  const client = await lab.signIn();
  const domains = '/mail/configuration/domains';
  await client.submit(domains, { name: DOMAIN }, { action: domains });
  const smarthost = '/mail/configuration/smarthost';
  const typed = { host: '127.0.0.1', port: String(sink.port), tls: 'none' };
  await client.submit(smarthost, typed, { action: smarthost, button: 'intent=save' });
  console.log(`seed ${seed}`);
  let mails = 0;
  for (let round = 1; round <= rounds; round += 1) {
    mails += await playRound(round, { lab, client, sink, random });
    if (round % 10 === 0) console.log(`${round} rounds, ${mails} mails: all where the page said`);
  }
  console.log(`${rounds} rounds, ${mails} mails: all where the page said`);
} finally {
  await lab.stop();
  await sink.stop();
}
