/** A small SMTP client for proofs: says lines, returns what the server answered (RFC 5321), always with CRLF. */
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';

export interface SmtpReply {
  readonly code: number;
  /** All lines, without CRLF. */
  readonly lines: readonly string[];
}

/** Longest reply that is read, in bytes. */
const MAX_REPLY_BYTES = 64 * 1024;

export class SmtpDialogue {
  readonly transcript: string[] = [];
  #buffer = '';
  #waiting: ((reply: SmtpReply) => void) | null = null;
  #fail: ((error: Error) => void) | null = null;
  #ended: Error | null = null;

  #socket: net.Socket;

  private constructor(
    socket: net.Socket,
    private readonly timeoutMs: number,
  ) {
    this.#socket = this.#listenTo(socket);
  }

  /** Connects and reads the banner. `target` is a TCP address or the path of a unix socket. */
  static async open(
    target: net.NetConnectOpts,
    timeoutMs: number,
  ): Promise<{ dialogue: SmtpDialogue; banner: SmtpReply }> {
    const socket = net.connect(target);
    const dialogue = new SmtpDialogue(socket, timeoutMs);
    try {
      return { dialogue, banner: await dialogue.#reply() };
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  /** As `open`, encrypted from the first byte on (RFC 8314). The certificate is for the caller to judge. */
  static async openEncrypted(
    target: tls.ConnectionOptions,
    timeoutMs: number,
  ): Promise<{ dialogue: SmtpDialogue; banner: SmtpReply; secure: tls.TLSSocket }> {
    const secure = tls.connect({ ...target, rejectUnauthorized: false });
    const dialogue = new SmtpDialogue(secure, timeoutMs);
    try {
      return { dialogue, banner: await dialogue.#reply(), secure };
    } catch (error) {
      secure.destroy();
      throw error;
    }
  }

  /** After the server agreed to STARTTLS (RFC 3207): encrypts what follows. The certificate is for the caller to judge. */
  async encrypt(): Promise<tls.TLSSocket> {
    for (const event of ['data', 'error', 'close']) this.#socket.removeAllListeners(event);
    this.#buffer = '';
    const secure = tls.connect({ socket: this.#socket, rejectUnauthorized: false });
    try {
      await once(secure, 'secureConnect', { signal: AbortSignal.timeout(this.timeoutMs) });
    } catch (error) {
      secure.on('error', () => undefined);
      secure.destroy();
      throw error;
    }
    this.#socket = this.#listenTo(secure);
    return secure;
  }

  async say(line: string): Promise<SmtpReply> {
    if (/[\r\n\0]/.test(line)) throw new RangeError('one line at a time');
    this.transcript.push(`> ${line}`);
    const answer = this.#reply();
    this.#socket.write(`${line}\r\n`);
    return answer;
  }

  /** Sends lines of a message, dot-stuffed (RFC 5321 4.5.2), without waiting for an answer. */
  push(lines: readonly string[]): void {
    for (const line of lines) this.#socket.write(`${line.startsWith('.') ? '.' : ''}${line}\r\n`);
  }

  /** The same for lines of any bytes, one character each; resolves when there is room for more. */
  async pour(lines: readonly string[]): Promise<void> {
    const text = lines
      .map((line) => `${line.startsWith('.') ? '.' : ''}${line.replace(/\r$/, '')}\r\n`)
      .join('');
    if (this.#ended) throw this.#ended;
    if (this.#socket.write(text, 'latin1')) return;
    const heard = new AbortController();
    const { signal } = heard;
    try {
      await Promise.race(['drain', 'close'].map((name) => once(this.#socket, name, { signal })));
    } finally {
      heard.abort();
    }
  }

  /** Ends it at once: a message that is under way comes to nothing. */
  drop(): void {
    this.#end(new Error('given up'));
  }

  async close(): Promise<void> {
    if (!this.#ended) await this.say('QUIT').catch(() => undefined);
    this.#socket.destroy();
  }

  #listenTo(socket: net.Socket): net.Socket {
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#read(text));
    socket.on('error', (error) => this.#end(error));
    socket.on('close', () => this.#end(new Error('connection closed')));
    return socket;
  }

  #reply(): Promise<SmtpReply> {
    return new Promise<SmtpReply>((resolve, reject) => {
      if (this.#ended) {
        reject(this.#ended);
        return;
      }
      const timer = setTimeout(() => this.#end(new Error('no answer in time')), this.timeoutMs);
      this.#waiting = (reply) => {
        clearTimeout(timer);
        resolve(reply);
      };
      this.#fail = (error) => {
        clearTimeout(timer);
        reject(error);
      };
      this.#take();
    });
  }

  #read(text: string): void {
    this.#buffer += text;
    if (this.#buffer.length > MAX_REPLY_BYTES) this.#end(new Error('reply too long'));
    this.#take();
  }

  #take(): void {
    const match = /^(?:\d{3}-[^\n]*\n)*(\d{3})(?: [^\n]*)?\r?\n/.exec(this.#buffer);
    if (!match || !this.#waiting) return;
    this.#buffer = this.#buffer.slice(match[0].length);
    const lines = match[0].split(/\r?\n/).filter((line) => line !== '');
    this.transcript.push(...lines);
    const waiting = this.#waiting;
    this.#waiting = null;
    this.#fail = null;
    waiting({ code: Number(match[1]), lines });
  }

  #end(error: Error): void {
    this.#ended ??= error;
    const fail = this.#fail;
    this.#waiting = null;
    this.#fail = null;
    this.#socket.destroy();
    fail?.(error);
  }
}
