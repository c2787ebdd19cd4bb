/**
 * Whether Postfix still works on something that a client of this machine left behind when it died: what the client had sent
 * may lie in buffers, and become a message yet.
 */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { hasCode } from '../files.js';

/** States of a TCP socket (include/net/tcp_states.h). */
const LISTEN = '0A';

interface TcpSocket {
  readonly local: string;
  readonly remote: string;
  readonly state: string;
  readonly inode: string;
}

/**
 * Looks at every smtpd(8) of this machine: whether one has a connection at `port` whose other end is dead. Where nobody lets
 * us look (CAP_SYS_PTRACE is what it takes), one may have: only so is nothing sent twice.
 */
export async function hasOrphanedSession(port: number, seen = serverSockets): Promise<boolean> {
  const [sockets, others, servers] = await Promise.all([tcpSockets(), otherInodes(), seen()]);
  if (servers === null) return true;
  const byInode = new Map(sockets.map((socket) => [socket.inode, socket]));
  const living = new Set(sockets.filter(({ inode }) => inode !== '0').map(({ local }) => local));
  return servers.some((inode) => {
    const socket = byInode.get(inode);
    // Reset by the other side it is in no table, while its server still has it open.
    if (socket === undefined) return !others.has(inode);
    if (socket.state === LISTEN || portOf(socket.local) !== port) return false;
    return isLoopback(socket.remote) && !living.has(socket.remote);
  });
}

/** Inodes of the sockets that programs of this name have open; null where one cannot be looked at. */
export async function serverSockets(program = 'smtpd'): Promise<readonly string[] | null> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  try {
    const links = await Promise.all(pids.map((pid) => linksOf(pid, program)));
    return links.flat().flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []);
  } catch (error) {
    if (hasCode(error, 'EACCES') || hasCode(error, 'EPERM')) return null;
    throw error;
  }
}

/** What a process has open, by name; nothing when it is another program, or gone. */
async function linksOf(pid: string, program: string): Promise<readonly string[]> {
  const gone = <T>(instead: T) => {
    return (error: unknown): T => {
      if (hasCode(error, 'ENOENT') || hasCode(error, 'ESRCH')) return instead;
      throw error;
    };
  };
  const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(gone(''));
  if (name.trim() !== program) return [];
  // One in a container has another network, and nobody here for a client.
  const network = await readlink(`/proc/${pid}/ns/net`).catch(gone(''));
  if (network !== (await readlink('/proc/self/ns/net'))) return [];
  const names = await readdir(`/proc/${pid}/fd`).catch(gone([] as string[]));
  return Promise.all(names.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(gone(''))));
}

async function tcpSockets(): Promise<readonly TcpSocket[]> {
  const tables = await Promise.all(['tcp', 'tcp6'].map(readTable));
  return tables.flat().map((line) => {
    const [, local = '', remote = '', state = '', , , , , , inode = ''] = line.trim().split(/\s+/);
    return { local, remote, state, inode };
  });
}

/** Of sockets that are no TCP: to other programs of Postfix, and to those who are asked for names. */
async function otherInodes(): Promise<ReadonlySet<string>> {
  const inodesIn = async (name: string, column: number): Promise<readonly string[]> =>
    (await readTable(name)).map((line) => line.trim().split(/\s+/)[column] ?? '');
  const found = [inodesIn('unix', 6), inodesIn('udp', 9), inodesIn('udp6', 9)];
  return new Set((await Promise.all(found)).flat());
}

async function readTable(name: string): Promise<readonly string[]> {
  const text = await readFile(`/proc/net/${name}`, 'utf8').catch(() => '');
  return text.split('\n').slice(1, -1);
}

function portOf(address: string): number {
  return parseInt(address.split(':')[1] ?? '', 16);
}

/** Addresses stand there in the byte order of the machine: 127.0.0.0/8, the same within IPv6, and ::1. */
function isLoopback(address: string): boolean {
  const [host = ''] = address.split(':');
  if (host.length === 8) return host.endsWith('7F');
  return host.slice(24).endsWith('7F') || host === '00000000000000000000000001000000';
}
