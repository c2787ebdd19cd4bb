/**
 * The process that looks after a lab from within its mount namespace: Postfix, the helper's listener, the console,
 * the fetcher.
 * Started by `lab.ts`; tells it in lines of JSON on stdout what runs, and stops everything on SIGTERM.
 */
import { openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { Installation } from '../launch/installation.js';
import { placesBelow } from '../launch/places.js';
import {
  consoleProgram,
  consoleSettings,
  fetcherProgram,
  helperProgram,
} from '../launch/programs.js';
import { startSupervised, type SupervisedProcess } from '../launch/supervised-process.js';
import { startAtBoot } from '../privileged/services/daemons.js';
import { DAEMONS } from '../privileged/services/all.js';
import { postfixService } from '../privileged/services/postfix.js';
import { masterPid } from '../privileged/services/processes.js';
import { enterLab } from './namespace.js';

/** What `lab.ts` gives as the one argument. */
export interface InsideOrder {
  readonly root: string;
  readonly listen: string;
  readonly installation: Installation;
}

/** A line on stdout: at first when all of it runs, again when a part was started again. */
export interface InsideReport {
  readonly url: string;
  readonly pids: {
    readonly inside: number;
    readonly helper: number;
    readonly console: number;
    readonly fetcher: number;
    readonly postfix: number | null;
  };
}

interface Running {
  readonly helper: SupervisedProcess;
  readonly console: SupervisedProcess;
  readonly fetcher: SupervisedProcess;
}

const order = JSON.parse(process.argv[2] ?? '') as InsideOrder;
const places = placesBelow(order.root);
const postfix = postfixService(places);
let running: Running | null = null;
let ending: Promise<void> | null = null;

// The reader of our stdout may be gone when we still have something to stop.
process.stdout.on('error', () => undefined);
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  process.on(signal, () => void end(0));
}
const starting = start();
try {
  running = await starting;
  await report(running);
} catch (error) {
  process.stderr.write(`mailserver: ${(error as Error).message}, see ${order.root}/var/log\n`);
  void end(1);
}

async function start(): Promise<Running> {
  enterLab(places);
  const [helper, webConsole, fetcher] = await Promise.all([
    startHelper(),
    startConsole(),
    startFetcher(),
    startPostfix(),
    startDaemons(),
  ]);
  return { helper, console: webConsole, fetcher };
}

function startHelper(): Promise<SupervisedProcess> {
  const program = helperProgram(places, order.installation, logFile('helper'));
  return startSupervised(program, { onRestart, onGivenUp });
}

function startConsole(): Promise<SupervisedProcess> {
  const settings = { ...consoleSettings(process.env), MAILSERVER_LISTEN: order.listen };
  const program = consoleProgram(places, order.installation, settings, logFile('console'));
  return startSupervised(program, { onRestart, onGivenUp });
}

function startFetcher(): Promise<SupervisedProcess> {
  const program = fetcherProgram(places, order.installation, logFile('fetcher'));
  return startSupervised(program, { onRestart, onGivenUp });
}

async function startPostfix(): Promise<void> {
  const { up, said } = await postfix.start();
  if (!up) throw new Error(`Postfix did not start, see ${places.mailLog}: ${said}`);
}

/** Mail that needs one of them waits while it is away, and the pages tell. */
async function startDaemons(): Promise<void> {
  const down = await startAtBoot(DAEMONS, places);
  if (down.length > 0)
    process.stderr.write(`mailserver: these did not start: ${down.join(', ')}\n`);
}

function onRestart(): void {
  if (running) void report(running);
}

function onGivenUp(reason: Error): void {
  process.stderr.write(`mailserver: ${reason.message}, see ${order.root}/var/log\n`);
  void end(1);
}

async function report({ helper, console, fetcher }: Running): Promise<void> {
  const report: InsideReport = {
    url: String(console.ready['url']),
    pids: {
      inside: process.pid,
      helper: helper.pid,
      console: console.pid,
      fetcher: fetcher.pid,
      postfix: await masterPid(places),
    },
  };
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

/** The console first, which finishes its requests with the helper's help. What never came up is left to `lab.ts`. */
function end(code: number): Promise<void> {
  ending ??= (async () => {
    await rm(`${order.root}/lab.json`, { force: true });
    await running?.console.stop();
    await running?.fetcher.stop();
    await running?.helper.stop();
    await postfix.stop();
    process.exit(code);
  })();
  return ending;
}

function logFile(name: string): number {
  return openSync(`${order.root}/var/log/${name}.log`, 'a');
}
