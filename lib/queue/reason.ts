/** Takes a reason as Postfix words it apart: what happened, with which server, and that server's own words. */

/** What Postfix was at when it failed. */
export type ReasonKind =
  /** The other server answered. */
  | 'reply'
  /** No connection came about. */
  | 'connect'
  /** The connection broke or went silent. */
  | 'conversation'
  /** The login at a server failed. */
  | 'login'
  /** Anything else in Postfix' own words. */
  | 'own';

export interface ParsedReason {
  readonly kind: ReasonKind;
  /** Name of the server; '' when none is named. */
  readonly host: string;
  /** Its address, or the path of a socket. */
  readonly address: string;
  readonly port: number | null;
  /** The server is a service of this machine: a socket, or a loopback address. */
  readonly local: boolean;
  /** SMTP reply code such as 450. */
  readonly code: number | null;
  /** Enhanced status code without its class: `2.2` of `4.2.2` (RFC 3463). */
  readonly enhanced: string;
  /** What was said, in lower case, without the codes. */
  readonly words: string;
}

const SUSPENDED = 'delivery temporarily suspended: ';
const HOST = String.raw`(\S+?)\[([^\]]*)\](?::(\d+))?`;
const REPLY = new RegExp(
  String.raw`^host ${HOST} (?:said|refused to talk to me|refused to start TLS): (.*)$`,
  's',
);
const TALKED = new RegExp(
  String.raw`^connect to ${HOST}: server refused to talk to me: (.*)$`,
  's',
);
const CONNECT = new RegExp(String.raw`^connect to ${HOST}: (.*)$`, 's');
const CONVERSATION = new RegExp(
  String.raw`^(?:lost connection|conversation) with ${HOST} (.*)$`,
  's',
);
const LOGIN = new RegExp(
  String.raw`^SASL authentication failed[;:] (?:server ${HOST} said: )?(.*)$`,
  's',
);
const COMMAND = / \(in reply to [^()]*\)\)?$/;
const CODES = /^([245]\d\d)(?:[- ]#?([245]\.\d{1,3}\.\d{1,3})\b)?[- ]?/;
/** qmail's way to give an enhanced status code. */
const HASH_CODE = /\(#?([45]\.\d\.\d{1,2})\)/;

/** Never throws: what cannot be taken apart is `own`. */
export function parseReason(reason: string): ParsedReason {
  const text = (reason.startsWith(SUSPENDED) ? reason.slice(SUSPENDED.length) : reason).trim();
  const reply = REPLY.exec(text) ?? TALKED.exec(text);
  if (reply) return answered('reply', reply);
  const login = LOGIN.exec(text);
  if (login) return answered('login', login);
  const connect = CONNECT.exec(text);
  if (connect) return failed('connect', connect);
  const conversation = CONVERSATION.exec(text);
  if (conversation) return failed('conversation', conversation);
  const bare = CODES.test(text) ? spoken(text) : null;
  return {
    kind: bare ? 'reply' : 'own',
    host: '',
    address: '',
    port: null,
    local: false,
    code: bare?.code ?? null,
    enhanced: bare?.enhanced ?? '',
    words: bare?.words ?? text.toLowerCase(),
  };
}

type Match = readonly (string | undefined)[];

function server([, host = '', address = '', port]: Match): Pick<
  ParsedReason,
  'host' | 'address' | 'port' | 'local'
> {
  const local = address.includes('/') || /^(?:127\.|::1$)/.test(address);
  return { host: host.toLowerCase(), address, port: port ? Number(port) : null, local };
}

function answered(kind: ReasonKind, match: Match): ParsedReason {
  return { kind, ...server(match), ...spoken((match[4] ?? '').replace(COMMAND, '')) };
}

function failed(kind: ReasonKind, match: Match): ParsedReason {
  const words = (match[4] ?? '').toLowerCase();
  return { kind, ...server(match), code: null, enhanced: '', words };
}

/** Codes and words of a reply; of one with several lines the codes stand before each (RFC 5321, 4.2.1). */
function spoken(reply: string): Pick<ParsedReason, 'code' | 'enhanced' | 'words'> {
  const [, code, enhanced] = CODES.exec(reply) ?? [];
  if (code === undefined) return { code: null, enhanced: '', words: reply.toLowerCase() };
  const status = enhanced ?? HASH_CODE.exec(reply)?.[1] ?? '';
  const words = reply
    .replace(CODES, '')
    .replaceAll(new RegExp(`(^|\\s)${code}[- ](?:${status.replaceAll('.', '\\.')} ?)?`, 'g'), ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
  return { code: Number(code), enhanced: status.slice(2), words: words.toLowerCase() };
}
