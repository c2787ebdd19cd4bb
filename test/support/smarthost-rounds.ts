/**
 * One smarthost after the other, tried as the page's button does and then saved and used: whether the test says what
 * becomes of real mail. The servers are a provider of our own, of every temper (`provider.ts`).
 */
import { randomUUID } from 'node:crypto';
import { readFile, utimes } from 'node:fs/promises';
import type { ResultOf } from '../../lib/privileged/actions/index.js';
import { seal } from '../../lib/secrets/seal.js';
import { bindingOf } from '../../lib/smarthost/binding.js';
import { NO_SMARTHOST, type SmarthostSettings } from '../../lib/smarthost/schema.js';
import type { Zone } from './dns-server.js';
import { startPostfixRoot, type PostfixRoot } from './postfix-root.js';
import {
  LOGIN,
  REACHED_DOMAIN,
  startProvider,
  type Provider,
  type ProviderLine,
} from './provider.js';
import { Saver } from './saver.js';
import { until } from './wait.js';

/** Mail is taken from who has logged in; without TLS no login is offered. */
const LOGIN_OVER_TLS = { smtpd_sasl_auth_enable: 'yes', smtpd_tls_auth_only: 'yes' };
const LOGIN_ALWAYS = { smtpd_sasl_auth_enable: 'yes' };
const FOR_ITS_OWN = { smtpd_relay_restrictions: 'reject_unauth_destination' };
const only = (mechanism: string) => ({ smtpd_sasl_mechanism_filter: mechanism });

/** A server of the provider: how it is reached and what it is like. */
export interface Server {
  readonly host: string;
  readonly port: number;
  readonly mx?: boolean;
  /** Absent where nobody listens. */
  readonly line?: Omit<ProviderLine, 'port'>;
}

export const SERVERS = {
  'good on 587': {
    ...{ host: 'good.provider.test', port: 587 },
    line: { address: '127.0.0.2', certificate: 'good', options: LOGIN_OVER_TLS },
  },
  'good on 465': {
    ...{ host: 'good.provider.test', port: 465 },
    line: { address: '127.0.0.2', certificate: 'good', wrapped: true, options: LOGIN_OVER_TLS },
  },
  'without login on 25': {
    ...{ host: 'good.provider.test', port: 25 },
    line: { address: '127.0.0.2', options: FOR_ITS_OWN },
  },
  'certificate expired': {
    ...{ host: 'expired.provider.test', port: 587 },
    line: { address: '127.0.0.3', certificate: 'expired', options: LOGIN_OVER_TLS },
  },
  'certificate of another name': {
    ...{ host: 'wrong.provider.test', port: 587 },
    line: { address: '127.0.0.4', certificate: 'wrong', options: LOGIN_OVER_TLS },
  },
  'certificate self-signed': {
    ...{ host: 'self.provider.test', port: 587 },
    line: { address: '127.0.0.5', certificate: 'self', options: LOGIN_OVER_TLS },
  },
  'certificate self-signed, on 465': {
    ...{ host: 'self.provider.test', port: 465 },
    line: { address: '127.0.0.5', certificate: 'self', wrapped: true, options: LOGIN_OVER_TLS },
  },
  'only PLAIN': {
    ...{ host: 'plain.provider.test', port: 587 },
    line: {
      ...{ address: '127.0.0.8', certificate: 'good' },
      options: { ...LOGIN_OVER_TLS, ...only('plain') },
    },
  },
  'only LOGIN': {
    ...{ host: 'login.provider.test', port: 587 },
    line: {
      ...{ address: '127.0.0.6', certificate: 'good' },
      options: { ...LOGIN_OVER_TLS, ...only('login') },
    },
  },
  'only CRAM-MD5': {
    ...{ host: 'cram.provider.test', port: 587 },
    line: {
      ...{ address: '127.0.0.7', certificate: 'good' },
      options: { ...LOGIN_OVER_TLS, ...only('cram-md5') },
    },
  },
  'CRAM-MD5 without encryption': {
    ...{ host: 'cram.provider.test', port: 25 },
    line: { address: '127.0.0.7', options: { ...LOGIN_ALWAYS, ...only('cram-md5') } },
  },
  'PLAIN without encryption': {
    ...{ host: 'plain.provider.test', port: 25 },
    line: { address: '127.0.0.8', options: { ...LOGIN_ALWAYS, ...only('plain') } },
  },
  slow: {
    ...{ host: 'slow.provider.test', port: 587 },
    line: {
      ...{ address: '127.0.0.9', certificate: 'good' },
      options: { ...LOGIN_OVER_TLS, smtpd_sender_restrictions: 'sleep 3' },
    },
  },
  'refuses the sender': {
    ...{ host: 'sender.provider.test', port: 587 },
    line: {
      ...{ address: '127.0.0.10', certificate: 'good' },
      options: { ...LOGIN_OVER_TLS, smtpd_delay_reject: 'no', smtpd_sender_restrictions: 'reject' },
    },
  },
  'says later': {
    ...{ host: 'later.provider.test', port: 587 },
    line: {
      ...{ address: '127.0.0.11', certificate: 'good' },
      options: { ...LOGIN_OVER_TLS, smtpd_sender_restrictions: 'defer' },
    },
  },
  'turns us away': {
    ...{ host: 'away.provider.test', port: 587 },
    line: {
      ...{ address: '127.0.0.12', certificate: 'good' },
      options: { smtpd_delay_reject: 'no', smtpd_client_restrictions: 'reject' },
    },
  },
  'found by MX': {
    ...{ host: 'provider.test', port: 587, mx: true },
    line: { address: '127.0.0.13', certificate: 'good', options: LOGIN_OVER_TLS },
  },
  'a domain, not looked up': { host: 'provider.test', port: 587 },
  'an IPv6 address': {
    ...{ host: '::1', port: 587 },
    line: { address: '[::1]', certificate: 'good', options: LOGIN_OVER_TLS },
  },
  'nobody there': { host: '127.0.0.99', port: 587 },
  'no such name': { host: 'nothing.provider.test', port: 587 },
  'no way there': { host: '192.0.2.1', port: 587 },
} as const satisfies Readonly<Record<string, Server>>;
export type ServerName = keyof typeof SERVERS;

export const CONNECTIONS = {
  none: { tls: 'none', verify: false },
  may: { tls: 'may', verify: false },
  starttls: { tls: 'starttls', verify: false },
  'starttls, checked': { tls: 'starttls', verify: true },
  smtps: { tls: 'smtps', verify: false },
  'smtps, checked': { tls: 'smtps', verify: true },
} as const satisfies Readonly<Record<string, Pick<SmarthostSettings, 'tls' | 'verify'>>>;
export type ConnectionName = keyof typeof CONNECTIONS;

export const LOGINS = {
  'no login': null,
  'right login': LOGIN,
  'wrong login': { username: LOGIN.username, password: 'wrong' },
} as const;
export type LoginName = keyof typeof LOGINS;

export type Trial = ResultOf<'smarthost-test'>;

export interface Round {
  readonly trial: Trial;
  /** Whether the mail that was sent afterwards is there. */
  readonly arrived: boolean;
  /** What Postfix wrote about it. */
  readonly log: string;
}

const SENDER = 'me@here.example';
const RECIPIENT = `you@${REACHED_DOMAIN}`;

const ADDRESSES = Object.values<Server>(SERVERS).flatMap(({ host, mx, line }) =>
  line && !mx && !host.includes(':') ? [[host, { a: [line.address] }] as const] : [],
);
const ZONE: Zone = {
  ...Object.fromEntries(ADDRESSES),
  'provider.test': { mx: [[10, 'mx.provider.test']] },
  'mx.provider.test': { a: [SERVERS['found by MX'].line.address] },
};

export class SmarthostRounds {
  readonly #saver: Saver;

  private constructor(
    readonly root: PostfixRoot,
    readonly provider: Provider,
  ) {
    this.#saver = new Saver(root.helper);
  }

  static async begin(
    names = Object.keys(SERVERS) as readonly ServerName[],
  ): Promise<SmarthostRounds> {
    const root = await startPostfixRoot({ ownNetwork: true });
    try {
      const lines = names.flatMap((name) => {
        const { line, port }: Server = SERVERS[name];
        return line ? [{ ...line, port }] : [];
      });
      const provider = await startProvider(root, lines, ZONE);
      const rounds = new SmarthostRounds(root, provider);
      await rounds.byHand(
        'inet_protocols=all',
        `smtp_tls_CAfile=${provider.authority}`,
        // The same for the test and for real mail: who says nothing is given up sooner.
        'smtp_helo_timeout=5s',
        'smtp_starttls_timeout=5s',
        'smtp_connect_timeout=5s',
      );
      await root.postfix('stop');
      await root.postfix('start');
      return rounds;
    } catch (error) {
      await root.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.provider.stop();
    await this.root.stop();
  }

  async byHand(...settings: string[]): Promise<void> {
    const { configDir } = this.root.places;
    const answer = await this.root.run('/usr/sbin/postconf', ['-c', configDir, '-e', ...settings]);
    if (answer.code !== 0) throw new Error(answer.stderr);
    const then = Date.now() / 1000 - 60;
    await utimes(`${configDir}/main.cf`, then, then);
  }

  async settings(
    server: ServerName,
    connection: ConnectionName,
    login: LoginName,
  ): Promise<SmarthostSettings> {
    const { host, port, mx = false }: Server = SERVERS[server];
    const open = { ...NO_SMARTHOST, host, port, mx, ...CONNECTIONS[connection] };
    const wanted = LOGINS[login];
    if (wanted === null) return open;
    const { publicKey } = await this.root.helper.call('describe', {}, { actor: 'test' });
    const target = { ...open, username: wanted.username };
    return { ...target, password: seal(publicKey, wanted.password, bindingOf(target)) };
  }

  /** As the button does. */
  try(settings: SmarthostSettings): Promise<Trial> {
    const order = { settings, sender: SENDER, recipient: RECIPIENT };
    return this.root.helper.call('smarthost-test', order, { actor: 'test' });
  }

  save(settings: SmarthostSettings) {
    return this.#saver.save({ smarthost: settings });
  }

  /** The test, then the save, then a mail. */
  async play(server: ServerName, connection: ConnectionName, login: LoginName): Promise<Round> {
    const settings = await this.settings(server, connection, login);
    const trial = await this.try(settings);
    await this.save(settings);
    // What failed before must not keep Postfix from trying now.
    await this.root.reload();
    return { trial, ...(await this.send()) };
  }

  /** Sends one mail to outside, and waits until it has gone, or has to wait, or came back. */
  async send(): Promise<Pick<Round, 'arrived' | 'log'>> {
    const { configDir, mailLog } = this.root.places;
    const subject = randomUUID();
    const message = `From: <${SENDER}>\nTo: <${RECIPIENT}>\nMessage-ID: <${subject}@here.example>\nSubject: ${subject}\n\nHello\n`;
    const args = ['-C', configDir, '-f', SENDER, '--', RECIPIENT];
    const answer = await this.root.run('/usr/sbin/sendmail', args, { input: message });
    if (answer.code !== 0) throw new Error(answer.stderr);
    const log = await until(`a word about ${subject}`, async () => {
      const text = await readFile(mailLog, 'utf8');
      const id = new RegExp(`: (\\w+): message-id=<${subject}@`).exec(text)?.[1];
      return id && new RegExp(`: ${id}: to=.*status=.*`).exec(text)?.[0];
    });
    const here = async (): Promise<boolean> =>
      (await this.provider.arrived()).some((mail) => mail.includes(subject));
    if (/status=sent/.test(log)) await until(`the mail ${subject}`, here);
    return { arrived: await here(), log };
  }
}
