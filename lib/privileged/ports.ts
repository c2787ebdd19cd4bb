/** The loopback ports between the daemons. A private root gets free ones of its own, once. */
import { chmod, link, mkdir, unlink } from 'node:fs/promises';
import path from 'node:path';
import { findFreePort } from '../free-port.js';
import type { InnerPort } from '../sections/section.js';
import { hasCode, readText, writeSynced } from './files.js';
import type { Paths } from './paths.js';

export type InnerPorts = Readonly<Record<InnerPort, number>>;

/** As Debian's packages and the field use them (amavisd: 10024 and 10026, back on 10025; postgrey: 10023). */
export const MACHINE_PORTS: InnerPorts = {
  fetchmailIn: 10029,
  amavisIn: 10024,
  amavisFetched: 10026,
  amavisBack: 10025,
  policy: 10023,
};

/** The ports of this instance. A private root keeps its own in `etc/mailserver/ports.json`. */
export async function portsOf(paths: Paths): Promise<InnerPorts> {
  if (paths.root === '') return MACHINE_PORTS;
  const file = `${paths.root}/etc/mailserver/ports.json`;
  const found = await readText(file);
  if (found !== null) return JSON.parse(found) as InnerPorts;
  await mkdir(path.dirname(file), { recursive: true });
  // Whatever our umask: the fetcher finds its files below it.
  await chmod(path.dirname(file), 0o755);
  const chosen = await chooseFree();
  const beside = `${file}.${process.pid}`;
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, mode: 0o644 };
  await writeSynced(beside, JSON.stringify(chosen), owner);
  try {
    await link(beside, file);
    return chosen;
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
    return portsOf(paths);
  } finally {
    await unlink(beside);
  }
}

async function chooseFree(): Promise<InnerPorts> {
  const chosen = new Map<string, number>();
  for (const name of Object.keys(MACHINE_PORTS)) {
    let port: number;
    do port = await findFreePort();
    while ([...chosen.values()].includes(port));
    chosen.set(name, port);
  }
  return Object.fromEntries(chosen) as InnerPorts;
}
