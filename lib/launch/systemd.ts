/** The services of a machine where systemd runs: written, enabled, started, and waited for. */
import { mkdir, readdir, readlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { readText, replaceFile } from '../privileged/files.js';
import { runNative } from '../privileged/native.js';
import { LaunchError } from './arguments.js';
import {
  BLOCK_LISTS_UNIT,
  CONSOLE_UNIT,
  FETCHER_UNIT,
  HELPER_SOCKET_UNIT,
  type UnitFiles,
} from './units.js';

const SYSTEMCTL = '/usr/bin/systemctl';
/** How long the console has to answer, in milliseconds. A new embedded database takes some seconds. */
const READY_LIMIT_MS = 180_000;
/** A console that crashed more often than this at its start will not come up. */
const RESTART_LIMIT = 3;
const LOOK_AGAIN_MS = 200;

/** State of a listening socket in /proc/net/tcp. */
const TCP_LISTEN = '0A';
/** Flag of a listening socket in /proc/net/unix (`__SO_ACCEPTCON`). */
const UNIX_ACCEPTS = 0x10000;

/** Writes the units below `etc`. Returns whether any of them is new or different. */
export async function writeUnits(units: UnitFiles, etc = '/etc'): Promise<boolean> {
  let changed = false;
  for (const [name, content] of Object.entries(units)) {
    const file = `${etc}/${name}`;
    if ((await readText(file)) === content) continue;
    await mkdir(file.slice(0, file.lastIndexOf('/')), { recursive: true });
    await replaceFile(file, content, { uid: 0, gid: 0, mode: 0o644 });
    changed = true;
  }
  return changed;
}

/** Enables and starts the services; console and fetcher are started anew when `restart` says that something it runs on changed. */
export async function startServices({ restart }: { readonly restart: boolean }): Promise<void> {
  await systemctl('daemon-reload');
  await runNative('/usr/bin/systemd-tmpfiles', ['--create', 'mailserver.conf']);
  await systemctl('enable', HELPER_SOCKET_UNIT, CONSOLE_UNIT, FETCHER_UNIT);
  if (restart) await systemctl('stop', FETCHER_UNIT, CONSOLE_UNIT, HELPER_SOCKET_UNIT);
  await systemctl('start', HELPER_SOCKET_UNIT, CONSOLE_UNIT, FETCHER_UNIT);
  // It runs only where block lists are asked.
  if (restart) await runNative(SYSTEMCTL, ['try-restart', BLOCK_LISTS_UNIT]);
}

/**
 * Resolves when the console takes connections at `listen`; rejects with its log when it does not. That somebody answers
 * there is not enough: it may be another program, which took the address before.
 */
export async function waitForConsole(listen: string): Promise<void> {
  const deadline = Date.now() + READY_LIMIT_MS;
  while (!((await consoleListens()) && (await answers(listen)))) {
    if (Number(await consoleProperty('NRestarts')) > RESTART_LIMIT || Date.now() > deadline) {
      const args = ['--unit', CONSOLE_UNIT, '--lines', '20', '--no-pager', '--output', 'cat'];
      const { stdout: log } = await runNative('/usr/bin/journalctl', args);
      throw new LaunchError(`the console does not come up:\n${log}`);
    }
    await pause(LOOK_AGAIN_MS);
  }
}

async function consoleListens(): Promise<boolean> {
  const pid = Number(await consoleProperty('MainPID'));
  return pid > 0 && (await hasListeningSocket(pid));
}

async function consoleProperty(name: string): Promise<string> {
  const args = ['show', '--property', name, '--value', CONSOLE_UNIT];
  return (await runNative(SYSTEMCTL, args)).stdout.trim();
}

/** Whether a process has a socket that takes connections (proc_pid_fd(5), proc_pid_net(5)). False when it has ended. */
export async function hasListeningSocket(pid: number): Promise<boolean> {
  const folder = `/proc/${String(pid)}`;
  const names = await readdir(`${folder}/fd`).catch(() => []);
  const links = await Promise.all(
    names.map((name) => readlink(`${folder}/fd/${name}`).catch(() => '')),
  );
  const inodes = new Set(links.map((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? ''));
  const rows = async (table: string): Promise<string[][]> =>
    ((await readText(`${folder}/net/${table}`).catch(() => null)) ?? '')
      .split('\n')
      .map((line) => line.trim().split(/\s+/));
  const tcp = [...(await rows('tcp')), ...(await rows('tcp6'))]
    .filter((row) => row[3] === TCP_LISTEN)
    .map((row) => row[9]);
  const unix = (await rows('unix'))
    .filter((row) => (parseInt(row[3] ?? '', 16) & UNIX_ACCEPTS) !== 0)
    .map((row) => row[6]);
  return [...tcp, ...unix].some((inode) => inode !== undefined && inodes.has(inode));
}

function answers(listen: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(target(listen), () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** An address that means "every one of this machine" is asked on loopback. */
function target(listen: string): { path: string } | { host: string; port: number } {
  if (listen.startsWith('unix:')) return { path: listen.slice('unix:'.length) };
  const colon = listen.lastIndexOf(':');
  const host = listen.slice(0, colon).replace(/^\[|\]$/g, '');
  const loopback: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };
  return { host: loopback[host] ?? host, port: Number(listen.slice(colon + 1)) };
}

async function systemctl(...args: string[]): Promise<void> {
  const { code, stderr } = await runNative(SYSTEMCTL, args, { timeoutMs: READY_LIMIT_MS });
  if (code !== 0) throw new LaunchError(`systemctl ${args.join(' ')}: ${stderr.trim()}`);
}
