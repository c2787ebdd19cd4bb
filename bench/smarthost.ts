/**
 * Every server of a provider of our own, with every kind of connection and login: tried as the button on the page does,
 * then saved and used for real mail. Prints the matrix, and counts where the test and the mail disagree.
 * `node dist/bench/smarthost.js [part of a server's name]`, as root; the whole of it takes half an hour.
 */
import {
  CONNECTIONS,
  LOGINS,
  SERVERS,
  SmarthostRounds,
  type ConnectionName,
  type LoginName,
  type ServerName,
} from '../test/support/smarthost-rounds.js';

const NAME_WIDTH = 54;
const CELL_WIDTH = 36;

const part = process.argv[2] ?? '';
const servers = (Object.keys(SERVERS) as ServerName[]).filter((name) => name.includes(part));
const connections = Object.keys(CONNECTIONS) as ConnectionName[];
const logins = Object.keys(LOGINS) as LoginName[];

const tally = { rounds: 0, arrived: 0, refused: 0, disagreements: 0 };
const started = performance.now();
const rounds = await SmarthostRounds.begin(servers);
try {
  const heads = logins.map((name) => name.padEnd(CELL_WIDTH));
  console.log(`${'test: cause / mail'.padEnd(NAME_WIDTH)}${heads.join('')}`);
  for (const server of servers) {
    for (const connection of connections) await row(server, connection);
  }
} finally {
  await rounds.stop();
}
const minutes = ((performance.now() - started) / 60_000).toFixed(1);
console.log(
  `${tally.rounds} combinations in ${minutes} min: ${tally.arrived} mails arrived, ${tally.refused} did not, ` +
    `${tally.disagreements} times the test said something else`,
);
process.exitCode = tally.disagreements === 0 ? 0 : 1;

async function row(server: ServerName, connection: ConnectionName): Promise<void> {
  const cells: string[] = [];
  for (const login of logins) cells.push(await cell(server, connection, login));
  console.log(`${`${server}, ${connection}`.padEnd(NAME_WIDTH)}${cells.join('')}`.trimEnd());
}

async function cell(
  server: ServerName,
  connection: ConnectionName,
  login: LoginName,
): Promise<string> {
  const refusal = await refusalOf(server, connection, login);
  if (refusal !== null) return `(${refusal})`.padEnd(CELL_WIDTH);
  const { trial, arrived, log } = await rounds.play(server, connection, login);
  const agrees = trial.ok === arrived;
  tally.rounds += 1;
  tally[arrived ? 'arrived' : 'refused'] += 1;
  if (!agrees) {
    tally.disagreements += 1;
    console.log(`DISAGREE ${server}, ${connection}, ${login}: ${trial.detail}\n  ${log}`);
  }
  const words = `${trial.ok ? '+' : '-'} ${trial.cause} / ${arrived ? 'arrived' : 'not'}`;
  return `${agrees ? '' : '!! '}${words}`.padEnd(CELL_WIDTH);
}

/** An address has no name to compare a certificate with: such settings are refused by the form and by the helper. */
async function refusalOf(
  server: ServerName,
  connection: ConnectionName,
  login: LoginName,
): Promise<string | null> {
  const { host, verify } = await rounds.settings(server, connection, login);
  return verify && /^[\d.:]+$/.test(host) ? 'no such settings' : null;
}
