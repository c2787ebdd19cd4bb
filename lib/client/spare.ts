/**
 * One helper that is started ahead of its request: each request has a process of its own, and to start that takes longer
 * than most of what it does. While somebody fills in a form there is time for it.
 */
import type net from 'node:net';
import type { Standby } from '../privileged/protocol.js';
import { PROTOCOL } from './line-exchange.js';

/** How long it may wait, in milliseconds; below the helper's own limit, so that it is never asked when it is about to end. */
export const SPARE_LIFETIME_MS = 300_000;

interface Waiting {
  readonly action: string;
  readonly socket: net.Socket;
  /** By `performance.now()`: a process that was stopped for a while hears of the end of its timers too late. */
  readonly since: number;
  /** Closes it. */
  readonly drop: () => void;
}

export class Spare {
  #waiting: Waiting | null = null;
  #connecting = false;

  constructor(private readonly connect: () => Promise<net.Socket>) {}

  /** Starts one for this action, unless one is there. What goes wrong the request itself will tell. */
  prepare(action: string): void {
    if (this.#connecting || this.#fresh(action) !== null) return;
    this.#waiting?.drop();
    this.#connecting = true;
    this.connect()
      .then(
        (socket) => this.#keep(action, socket),
        () => undefined,
      )
      .finally(() => (this.#connecting = false));
  }

  /** The connection to it, which is the caller's from now on; null when there is none for this action. */
  take(action: string): net.Socket | null {
    const waiting = this.#fresh(action);
    if (waiting === null) return null;
    const { socket, drop } = waiting;
    this.#waiting = null;
    return socket.off('readable', drop).off('close', drop).setTimeout(0, drop).ref();
  }

  #fresh(action: string): Waiting | null {
    const waiting = this.#waiting;
    if (waiting?.action !== action) return null;
    return performance.now() - waiting.since < SPARE_LIFETIME_MS ? waiting : null;
  }

  #keep(action: string, socket: net.Socket): void {
    const line: Standby = { protocol: PROTOCOL, standby: action };
    socket.write(`${JSON.stringify(line)}\n`);
    const drop = (): void => {
      socket.destroy();
      if (this.#waiting?.socket === socket) this.#waiting = null;
    };
    this.#waiting = { action, socket, since: performance.now(), drop };
    // It has nothing to say before it is asked: it refuses, or ends.
    socket.on('readable', drop).on('close', drop).setTimeout(SPARE_LIFETIME_MS, drop).unref();
  }
}
