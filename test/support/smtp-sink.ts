/**
 * A receiving SMTP server on loopback that keeps what it was told: the name in HELO, the envelope, the message, the
 * login. It can refuse, be slow, break off, ask for TLS and for a password.
 */
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { SMTPServer, type SMTPServerOptions, type SMTPServerSession } from 'smtp-server';
import type { KeyPair } from './certificate.js';
import { until } from './wait.js';

export interface SinkMessage {
  /** What the client called itself. */
  readonly helo: string;
  /** `EHLO` or `HELO`. */
  readonly greeting: string;
  readonly from: string;
  readonly to: readonly string[];
  readonly raw: string;
  readonly tls: boolean;
  /** The TLS version, such as `TLSv1.3`. */
  readonly tlsVersion: string | null;
  /** Who signed in; null without a login. */
  readonly user: string | null;
}

/** What the server says instead of yes. */
export interface Refusal {
  readonly code: number;
  readonly text: string;
}

type Stage = 'connect' | 'from' | 'recipient' | 'data';

export interface SinkOptions {
  /** The name it greets with. */
  readonly name?: string;
  /** STARTTLS is offered with this certificate; `implicitTls` speaks TLS from the first byte. */
  readonly tls?: KeyPair;
  readonly implicitTls?: boolean;
  /** A login is required, and this is the only right one. */
  readonly login?: { readonly user: string; readonly password: string };
  /** Mechanisms offered; PLAIN and LOGIN when not given. */
  readonly mechanisms?: readonly string[];
  /** Also offer the login without TLS. */
  readonly loginInClear?: boolean;
  /** The size it announces, in bytes; a longer message is refused with 552. */
  readonly size?: number;
  /** Null or undefined means yes. */
  readonly refuse?: (stage: Stage, value: string) => Refusal | null | undefined;
  /** Milliseconds it thinks at a stage before it answers. */
  readonly delay?: (stage: Stage) => number;
  /** Breaks the connection off at this stage. */
  readonly breakOff?: (stage: Stage) => boolean;
}

export interface SmtpSink {
  readonly port: number;
  readonly messages: readonly SinkMessage[];
  /** How many connections there were. */
  readonly connections: number;
  /** Logins that were tried, right or wrong. */
  readonly logins: readonly {
    readonly method: string;
    readonly user: string;
    readonly ok: boolean;
  }[];
  /** Waits for a message that holds the text; the first one at all without it. */
  waitFor(text?: string): Promise<SinkMessage>;
  /** Answers from now on as told. */
  change(options: Pick<SinkOptions, 'refuse' | 'delay' | 'breakOff'>): void;
  stop(): Promise<void>;
}

export async function startSmtpSink(options: SinkOptions = {}): Promise<SmtpSink> {
  const messages: SinkMessage[] = [];
  const logins: { method: string; user: string; ok: boolean }[] = [];
  /** By the client's port. */
  const sockets = new Map<number, Socket>();
  let behaviour = options;
  let connections = 0;
  const server = new SMTPServer({
    ...serverOptions(options),
    onConnect: (session, done) => {
      connections += 1;
      void answer('connect', session.remoteAddress, session, done);
    },
    onAuth: (auth, _session, done) => {
      const { method, username = '', password } = auth;
      const ok = username === options.login?.user && password === options.login.password;
      logins.push({ method, user: username, ok });
      if (ok) done(null, { user: username });
      else done(refused({ code: 535, text: '5.7.8 Authentication credentials invalid' }));
    },
    onMailFrom: (address, session, done) => void answer('from', address.address, session, done),
    onRcptTo: (address, session, done) => void answer('recipient', address.address, session, done),
    onData: (stream, session, done) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const raw = Buffer.concat(chunks).toString('latin1');
        if (stream.sizeExceeded) return done(refused({ code: 552, text: '5.3.4 too big' }));
        void answer('data', raw, session, (error) => {
          if (!error) messages.push(received(session, raw));
          done(error ?? null);
        });
      });
    },
  });
  /** Clients may go away at any time; that is no failure of a test. */
  server.on('error', () => undefined);

  async function answer(
    stage: Stage,
    value: string,
    session: SMTPServerSession,
    done: (error?: Error | null) => void,
  ): Promise<void> {
    const delay = behaviour.delay?.(stage) ?? 0;
    if (delay > 0) await pause(delay);
    if (behaviour.breakOff?.(stage)) return void sockets.get(session.remotePort)?.destroy();
    const refusal = behaviour.refuse?.(stage, value);
    done(refusal ? refused(refusal) : null);
  }

  const listener = server.listen(0, '127.0.0.1');
  listener.on('connection', (socket: Socket) => {
    if (socket.remotePort !== undefined) sockets.set(socket.remotePort, socket);
  });
  await once(listener, 'listening');
  return {
    port: (listener.address() as AddressInfo).port,
    messages,
    logins,
    get connections() {
      return connections;
    },
    waitFor: (text = '') =>
      until(`a message at the receiving server with "${text}"`, () =>
        messages.find(({ raw }) => raw.includes(text)),
      ),
    change: (changed) => {
      behaviour = { ...behaviour, ...changed };
    },
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function serverOptions(options: SinkOptions): SMTPServerOptions {
  const {
    name = 'sink.example',
    tls,
    implicitTls,
    login,
    mechanisms,
    loginInClear,
    size,
  } = options;
  return {
    name,
    banner: 'receiving for a test',
    disableReverseLookup: true,
    closeTimeout: 500,
    authMethods: [...(mechanisms ?? ['PLAIN', 'LOGIN'])],
    authOptional: login === undefined,
    allowInsecureAuth: loginInClear ?? tls === undefined,
    disabledCommands: [...(tls ? [] : ['STARTTLS']), ...(login ? [] : ['AUTH'])],
    secure: implicitTls ?? false,
    ...(tls ? { key: tls.key, cert: tls.cert } : {}),
    ...(size === undefined ? {} : { size }),
  };
}

function received(session: SMTPServerSession, raw: string): SinkMessage {
  const { envelope, hostNameAppearsAs, openingCommand, secure, tlsOptions } = session;
  const user: unknown = session.user;
  return {
    helo: String(hostNameAppearsAs),
    greeting: openingCommand,
    from: envelope.mailFrom === false ? '' : envelope.mailFrom.address,
    to: envelope.rcptTo.map(({ address }) => address),
    raw,
    tls: secure,
    tlsVersion: tlsOptions && 'version' in tlsOptions ? String(tlsOptions.version) : null,
    user: typeof user === 'string' ? user : null,
  };
}

function refused({ code, text }: Refusal): Error {
  return Object.assign(new Error(text), { responseCode: code });
}
