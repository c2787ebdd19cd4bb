/** Makes the new configuration beside the real one, with Postfix' own editor, and reads back what came out. */
import {
  appendFile,
  copyFile,
  mkdir,
  mkdtemp,
  readFile,
  rm,
  symlink,
  utimes,
} from 'node:fs/promises';
import { HelperError } from '../../errors.js';
import { readText } from '../files.js';
import { runNative } from '../native.js';
import type { Paths } from '../paths.js';
import { POSTCONF, readConfig, type ConfigView } from '../postfix/config-view.js';
import { PROBE_SERVICE, probeLine, publicListener } from '../postfix/listeners.js';
import { editedMeanwhile } from './decided.js';
import type { Replacement } from './journal.js';
import { presentOption, type Plan } from './plan.js';

/** Postfix waits about two seconds on a main.cf younger than this; ours is dated back by it. In seconds. */
export const BACKDATE_S = 10;

const NEWLINE = 10;

export interface Stage {
  readonly folder: string;
  /** The bytes of main.cf and master.cf before and in the stage: comments may be in any encoding. */
  readonly before: { readonly main: Buffer; readonly master: Buffer };
  readonly after: { readonly main: Buffer; readonly master: Buffer };
  readonly view: ConfigView;
}

/** Where stages are. Each has a name of its own: a tool of a killed request may still write into the old one. */
function stagesFolder(paths: Paths): string {
  return `${paths.stateDir}/stages`;
}

/** A fresh stage; those of earlier requests are removed. */
export async function openStage(paths: Paths): Promise<string> {
  await closeStages(paths);
  await mkdir(stagesFolder(paths), { recursive: true, mode: 0o700 });
  const folder = await mkdtemp(`${stagesFolder(paths)}/`);
  await copyIntoStage(folder, paths);
  return folder;
}

/** The two files as they are, dated back, in a folder `postconf -c` accepts. */
export async function copyIntoStage(folder: string, paths: Paths): Promise<void> {
  const copy = (name: string): Promise<void> =>
    copyFile(`${paths.configDir}/${name}`, `${folder}/${name}`);
  const copyWhole = async (name: string): Promise<void> => {
    await copy(name);
    await endLastLine(`${folder}/${name}`);
  };
  await Promise.all([
    copyWhole('main.cf').then(() => backdate(`${folder}/main.cf`)),
    copyWhole('master.cf'),
    copy('dynamicmaps.cf').catch(() => undefined),
    symlink(`${paths.configDir}/dynamicmaps.cf.d`, `${folder}/dynamicmaps.cf.d`),
  ]);
}

/** `postconf` would write its first new line onto the end of a last line that has none. */
async function endLastLine(file: string): Promise<void> {
  const bytes = await readFile(file);
  if (bytes.length > 0 && bytes.at(-1) !== NEWLINE) await appendFile(file, '\n');
}

export async function closeStages(paths: Paths): Promise<void> {
  await rm(stagesFolder(paths), { recursive: true, force: true });
}

/** Whether the plan has anything to write into main.cf or master.cf. */
export function editsConfiguration({ parameters, master, options }: Plan): boolean {
  return parameters.size + master.size + options.size > 0;
}

/** Whether whole files are all that may change, and none of them is on the way of any mail. */
export function isApart(plan: Plan, tables: readonly Replacement[]): boolean {
  if (editsConfiguration(plan) || plan.directives.size + tables.length > 0) return false;
  return plan.touched.every(({ section }) => section.owns.filesApart);
}

/**
 * Writes the plan into the stage, and the probe listener, which follows the public one. Throws at stage `stage`.
 */
export async function writeStage(
  folder: string,
  plan: Plan,
  present: ConfigView,
  paths: Paths,
): Promise<void> {
  await edit(folder, ['-e'], pairs(plan.parameters));
  await edit(folder, ['-X'], removed(plan.parameters));
  await edit(folder, ['-M'], pairs(plan.master));
  await edit(folder, ['-MX'], removed(plan.master));
  await edit(folder, ['-P'], pairs(plan.options));
  await edit(folder, ['-PX'], removed(plan.options));
  const editsMaster = plan.master.size + plan.options.size > 0;
  const master = editsMaster ? (await readConfig(folder, paths)).master : present.master;
  const now = master.find(({ name }) => name === PROBE_SERVICE)?.line ?? null;
  const line = probeLine(publicListener(master));
  if (line === now) return;
  const probe = new Map([[PROBE_SERVICE, line]]);
  await edit(folder, ['-M'], pairs(probe));
  await edit(folder, ['-MX'], removed(probe));
}

/** Whether the probe listener stands as it should beside the public one. */
export function hasRightProbe({ master, masterService }: ConfigView): boolean {
  return masterService(PROBE_SERVICE) === probeLine(publicListener(master));
}

/** The stage as Postfix reads it. Throws at stage `stage` when what is read back is not what was meant. */
export async function readStage(
  folder: string,
  before: Stage['before'],
  plan: Plan,
  present: ConfigView,
  paths: Paths,
): Promise<Stage> {
  const after = await readFiles(folder);
  const same = before.main.equals(after.main) && before.master.equals(after.master);
  const view = same ? present : await readConfig(folder, paths, present.secrets);
  proveParameters(plan, present, view);
  proveMaster(plan, present, view);
  return { folder, before, after, view };
}

/** Writes the stage and reads it back. */
export async function fillStage(
  folder: string,
  plan: Plan,
  present: ConfigView,
  paths: Paths,
): Promise<Stage> {
  const before = await readFiles(folder);
  await writeStage(folder, plan, present, paths);
  return readStage(folder, before, plan, present, paths);
}

/** The two files as they are in the stage. */
export async function readFiles(folder: string): Promise<Stage['before']> {
  const [main, master] = await Promise.all([
    readFile(`${folder}/main.cf`),
    readFile(`${folder}/master.cf`),
  ]);
  return { main, master };
}

/** Throws at stage `drift` when a file that is going to be replaced was edited since it was read. */
export async function refuseEditedMeanwhile(
  { before, after }: Pick<Stage, 'before' | 'after'>,
  files: readonly Pick<Replacement, 'file' | 'before'>[],
  { root, configDir }: Pick<Paths, 'root' | 'configDir'>,
): Promise<void> {
  for (const name of ['main', 'master'] as const) {
    if (before[name].equals(after[name])) continue;
    const now = await readFile(`${configDir}/${name}.cf`);
    const ended = now.at(-1) === NEWLINE ? now : Buffer.concat([now, Buffer.of(NEWLINE)]);
    if (!ended.equals(before[name])) throw editedMeanwhile(`${name}.cf`);
  }
  for (const { file, before: text } of files) {
    if (text === undefined || ((await readText(file)) ?? '') === (text ?? '')) continue;
    throw editedMeanwhile(file.slice(root.length));
  }
}

function pairs(values: ReadonlyMap<string, string | null>): string[] {
  return [...values].flatMap(([name, value]) => (value === null ? [] : [`${name}=${value}`]));
}

function removed(values: ReadonlyMap<string, string | null>): string[] {
  return [...values].flatMap(([name, value]) => (value === null ? [name] : []));
}

async function edit(
  folder: string,
  mode: readonly string[],
  args: readonly string[],
): Promise<void> {
  if (args.length === 0) return;
  const answer = await runNative(POSTCONF, ['-c', folder, ...mode, ...args]);
  await backdate(`${folder}/main.cf`);
  if (answer.code !== 0) throw failed('helper.stage.edit', {}, answer.stderr);
}

async function backdate(file: string): Promise<void> {
  const then = Date.now() / 1000 - BACKDATE_S;
  await utimes(file, then, then);
}

/** Everything we meant is there, and nothing else moved: `postconf` sees exactly the planned difference. */
function proveParameters(plan: Plan, before: ConfigView, after: ConfigView): void {
  for (const name of new Set([
    ...before.set.keys(),
    ...after.set.keys(),
    ...plan.parameters.keys(),
  ])) {
    const meant = plan.parameters.get(name);
    const expected = meant === undefined ? (before.set.get(name) ?? null) : meant;
    if ((after.set.get(name) ?? null) !== expected) {
      throw failed('helper.stage.readBack', { name }, '');
    }
  }
}

function proveMaster(plan: Plan, before: ConfigView, after: ConfigView): void {
  const edited = new Set(
    [...plan.options.keys()].map((name) => name.slice(0, name.lastIndexOf('/'))),
  );
  const names = new Set([...before.master, ...after.master].map((entry) => entry.name));
  for (const name of names) {
    if (name === PROBE_SERVICE || edited.has(name)) continue;
    const meant = plan.master.get(name);
    const expected = meant === undefined ? before.masterService(name) : meant;
    if (after.masterService(name) !== expected) {
      throw failed('helper.stage.readBack', { name }, '');
    }
  }
  if (!hasRightProbe(after)) {
    throw failed('helper.stage.readBack', { name: PROBE_SERVICE }, '');
  }
  for (const [name, value] of plan.options) {
    if (presentOption(after, name) !== value) throw failed('helper.stage.readBack', { name }, '');
  }
}

function failed(key: string, values: Record<string, string>, detail: string): HelperError {
  return new HelperError({ stage: 'stage', key, values, detail, restored: true });
}
