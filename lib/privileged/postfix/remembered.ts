/**
 * What `postconf` said of the present configuration, kept until any of what it says so by changes: three processes for each
 * save, to be told again what nobody has touched, are a third of a small one.
 */
import { readdirSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { hasCode, OWN_FILE, readText, replaceFile } from '../files.js';
import type { Paths } from '../paths.js';
import { PROGRAM } from '../program.js';
import { stampOf } from '../stamp.js';
import { digestOf } from '../state.js';
import { askPostconf, POSTCONF, type PostconfAnswers } from './config-view.js';

/** Stands for the folder in what is kept. No line that Postfix prints has it. */
const FOLDER = '\0';

interface Remembered {
  readonly inputs: string;
  readonly answers: PostconfAnswers;
}

function memoryFile({ stateDir }: Pick<Paths, 'stateDir'>): string {
  return `${stateDir}/postconf.json`;
}

export interface Recalled {
  readonly answers: PostconfAnswers;
  /** Keeps them for the next one, where that was not done yet: for requests that are no mere look, and are not refused. */
  readonly keep: () => Promise<void>;
}

/**
 * What `postconf` says of `folder`, a copy of the configuration that was made after `inputs` were looked at (`null`: it is
 * asked). Throws like `askPostconf`.
 */
export async function recallPostconf(
  folder: string,
  inputs: string | null,
  paths: Pick<Paths, 'stateDir'>,
): Promise<Recalled> {
  const known = inputs === null ? null : await recall(paths);
  if (inputs !== null && known?.inputs === inputs) {
    return { answers: withFolder(known.answers, FOLDER, folder), keep: nothing };
  }
  const answers = await askPostconf(folder);
  if (inputs === null) return { answers, keep: nothing };
  // It warns of the files of others too, such as one that names a database.
  const kept = { ...withFolder(answers, folder, FOLDER), warnings: null };
  const memory: Remembered = { inputs, answers: kept };
  // Without it the next save takes a moment longer.
  const keep = () =>
    replaceFile(memoryFile(paths), JSON.stringify(memory), OWN_FILE).catch(() => undefined);
  return { answers, keep };
}

const nothing = (): Promise<void> => Promise.resolve();

/** The name of the folder stands among what it says (`config_directory`), and the next copy has another. */
function withFolder(answers: PostconfAnswers, from: string, to: string): PostconfAnswers {
  const [all, set, master] = [answers.all, answers.set, answers.master].map((text) =>
    text.replaceAll(from, () => to),
  ) as [string, string, string];
  return { ...answers, all, set, master };
}

async function recall(paths: Pick<Paths, 'stateDir'>): Promise<Remembered | null> {
  try {
    return JSON.parse((await readText(memoryFile(paths))) ?? 'null') as Remembered | null;
  } catch {
    // A power cut may leave half of it.
    return null;
  }
}

/**
 * All that its parameters follow from (the default of `mynetworks` are the networks of the machine), files by what they look
 * like from outside: nobody can change one and leave its change time as it was. Another release may ask for more, and so
 * believes nothing that was kept before it. Null when something changed a moment ago. `now` is for tests: nobody can set a
 * change time.
 */
export function inputsOfPostconf(
  { configDir }: Pick<Paths, 'configDir'>,
  now = Date.now(),
  program = PROGRAM,
): string | null {
  const more = `${configDir}/dynamicmaps.cf.d`;
  const files = [
    ...['main.cf', 'master.cf', 'dynamicmaps.cf'].map((name) => `${configDir}/${name}`),
    ...[more, ...namesIn(more).map((name) => `${more}/${name}`), POSTCONF],
  ];
  const stamps = files.map((file) => stampOf(file, now));
  if (stamps.includes(null)) return null;
  const networks = networksOf(networkInterfaces());
  return digestOf(JSON.stringify([program, hostname(), networks, files, stamps]));
}

function networksOf(interfaces: ReturnType<typeof networkInterfaces>): readonly string[] {
  const addresses = Object.values(interfaces).flatMap((one = []) => one);
  return addresses.map(({ address, netmask }) => `${address}/${netmask}`).sort();
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}
