/** The files of the package, laid out below a folder as they will lie below `/`. */
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { renderSysusers } from '../launch/accounts.js';
import { PACKAGE_HOME, PACKAGE_NAME } from '../launch/debian-package.js';
import { copyRelease } from '../launch/installation.js';
import { SETTINGS_FILE, placesBelow } from '../launch/places.js';
import { renderUnits } from '../launch/units.js';
import { licenceOf } from './node.js';

/** Needed by compilers and readers of a package alone. */
const NOT_AT_RUN_TIME = /\.(d\.[cm]?ts|[cm]?[jt]s\.map|md|markdown|flow)$/;
/** Ours, and needed to build a package alone. */
const BUILDING = ['lib/packaging', 'dist/lib/packaging'];
/** What a licence may stand in. */
const KEPT = /licen[cs]e|copying|notice/i;

const NODE_LICENCE = 'node.LICENSE';
const SETTINGS_TEMPLATE = `/usr/share/${PACKAGE_NAME}/settings`;

export interface TreeParts {
  /** The clone: built, with its npm packages. */
  readonly home: string;
  /** The Node that goes along. */
  readonly node: string;
  readonly version: string;
  readonly maintainer: string;
  /** Of the changelog. */
  readonly date: Date;
}

export async function layOut(root: string, parts: TreeParts): Promise<void> {
  const { home, node } = parts;
  const programs = join(root, PACKAGE_HOME);
  await mkdir(programs, { recursive: true });
  await copyRelease(programs, home);
  await dropNeedless(join(programs, 'node_modules'));
  for (const own of BUILDING) await rm(join(programs, own), { recursive: true });
  await cp(node, join(programs, 'node'));
  await cp(licenceOf(node), join(programs, NODE_LICENCE));

  const own = { node: `${PACKAGE_HOME}/node`, current: PACKAGE_HOME };
  const units = renderUnits(placesBelow(null), own, SETTINGS_FILE);
  for (const [name, text] of Object.entries(units)) await put(root, `/usr/lib/${name}`, text);
  const sysusers = renderSysusers(placesBelow(null));
  await put(root, `/usr/lib/sysusers.d/${PACKAGE_NAME}.conf`, sysusers);

  const source = (name: string): Promise<string> =>
    readFile(join(home, 'lib/packaging/debian', name), 'utf8');
  await put(root, SETTINGS_TEMPLATE, await source('settings'));
  await put(root, `/etc/apt/apt.conf.d/20${PACKAGE_NAME}`, await source('apt.conf'));
  await put(root, `/usr/sbin/${PACKAGE_NAME}`, await source('command'), 0o755);

  const doc = `/usr/share/doc/${PACKAGE_NAME}`;
  await put(root, `${doc}/copyright`, await copyright(home));
  await put(root, `${doc}/changelog.gz`, packed(changelog(parts)));
  const manual = `/usr/share/man/man8/${PACKAGE_NAME}.8.gz`;
  await put(root, manual, packed(await source('manual.8')));
}

async function put(
  root: string,
  path: string,
  content: string | Buffer,
  mode = 0o644,
): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), content, { mode });
}

async function dropNeedless(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await dropNeedless(path);
    else if (NOT_AT_RUN_TIME.test(entry.name) && !KEPT.test(entry.name)) await rm(path);
  }
}

/** Ours in full; what comes along has its own beside it. */
async function copyright(home: string): Promise<string> {
  return `\
Mailserver plugin and console

${await readFile(join(home, 'LICENSE'), 'utf8')}
The npm packages in ${PACKAGE_HOME}/node_modules have their own licences:
each names it in its package.json, with the text in its own folder.

Node.js, in ${PACKAGE_HOME}/node, is under the licences in
${PACKAGE_HOME}/${NODE_LICENCE}.
`;
}

/** The same bytes each time: gzip(1) would put the time into it. */
function packed(text: string): Buffer {
  return gzipSync(text, { level: 9 });
}

function changelog({ version, maintainer, date }: TreeParts): string {
  const day = date.toUTCString().replace('GMT', '+0000');
  return `${PACKAGE_NAME} (${version}) unstable; urgency=medium

  * This build; what changed stands in the history of its sources.

 -- ${maintainer}  ${day}
`;
}
