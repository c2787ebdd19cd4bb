/** The ports of this instance beside port 25. A private root gets free ones of its own, once. */
import { chmod, link, mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { findFreePort } from '../free-port.js';
import type { InnerPort } from '../sections/section.js';
import { hasCode, readText, writeSynced } from './files.js';
import type { Paths } from './paths.js';

export type InnerPorts = Readonly<Record<InnerPort, number>>;

/**
 * As Debian's packages have them (amavisd: 10024; postgrey: 10023, other policy servers: 10040). The way back from amavis is not on 10025, where a server
 * that was set up by hand has its own.
 */
export const MACHINE_PORTS: InnerPorts = {
  fetchmailIn: 10029,
  amavisIn: 10024,
  amavisFetched: 10026,
  amavisBack: 10031,
  amavisProxy: 10027,
  amavisProxyBack: 10032,
  amavisProbe: 10030,
  policy: 10023,
  blockLists: 10040,
  submission: 587,
  submissions: 465,
};

/** The ports of this instance. A private root keeps its own in `etc/mailserver/ports.json`. */
export async function portsOf(paths: Paths): Promise<InnerPorts> {
  if (paths.root === '') return MACHINE_PORTS;
  const file = `${paths.root}/etc/mailserver/ports.json`;
  const found = await readText(file);
  const known = found === null ? {} : (JSON.parse(found) as Partial<InnerPorts>);
  if (isComplete(known)) return known;
  await mkdir(path.dirname(file), { recursive: true });
  // Whatever our umask: the fetcher finds its files below it.
  await chmod(path.dirname(file), 0o755);
  const chosen = await chooseFree(known);
  const beside = `${file}.${process.pid}`;
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, mode: 0o644 };
  await writeSynced(beside, JSON.stringify(chosen), owner);
  try {
    // A root of an older version lacks some: then there is a file in the way.
    if (found === null) await link(beside, file);
    else await rename(beside, file);
    return chosen;
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
    return portsOf(paths);
  } finally {
    await rm(beside, { force: true });
  }
}

function isComplete(known: Partial<InnerPorts>): known is InnerPorts {
  return Object.keys(MACHINE_PORTS).every((name) => name in known);
}

async function chooseFree(known: Partial<InnerPorts>): Promise<InnerPorts> {
  const chosen = new Map<string, number>(Object.entries(known));
  for (const name of Object.keys(MACHINE_PORTS).filter((one) => !(one in known))) {
    let port: number;
    do port = await findFreePort();
    while ([...chosen.values()].includes(port));
    chosen.set(name, port);
  }
  return Object.fromEntries(chosen) as InnerPorts;
}
