/**
 * The policy protocol (SMTPD_POLICY_README): attributes, one a line, ended by an empty one; one answer for each request.
 * A request of our own, `mailserver_lists`, tells how the lists are.
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { Judge } from './judge.js';

/** Longest request that is read, in bytes; Postfix' own stay far below. */
const MAX_REQUEST_BYTES = 64 * 1024;
/** How the question after the state of the lists is asked. */
export const LISTS_REQUEST = 'mailserver_lists';

const LET_PASS = 'action=DUNNO\n\n';

export function createPolicyServer(judge: Judge): Server {
  return createServer((socket) => serve(socket, judge));
}

function serve(socket: Socket, judge: Judge): void {
  let text = '';
  let turn: Promise<void> = Promise.resolve();
  socket.setEncoding('latin1');
  socket.on('error', () => undefined);
  socket.on('data', (chunk: string) => {
    text += chunk;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const request = text.slice(0, end);
      text = text.slice(end + 2);
      turn = turn.then(async () => {
        const answer = await answerTo(request, judge).catch(() => LET_PASS);
        if (!socket.destroyed) socket.write(answer);
      });
    }
    if (text.length > MAX_REQUEST_BYTES) socket.destroy();
  });
}

async function answerTo(request: string, judge: Judge): Promise<string> {
  const attributes = attributesOf(request);
  if (attributes.get('request') === LISTS_REQUEST) {
    return `lists=${JSON.stringify(judge.reports())}\n\n`;
  }
  const address = attributes.get('client_address') ?? '';
  const zones = attributes.get('protocol_state') === 'RCPT' ? await judge.refusing(address) : [];
  // The words Postfix itself uses (default_rbl_reply), so that whoever reads its log finds them.
  return zones.length === 0
    ? LET_PASS
    : `action=554 5.7.1 Service unavailable; Client host [${address}] blocked using ${zones.join(', ')}\n\n`;
}

function attributesOf(request: string): ReadonlyMap<string, string> {
  return new Map(
    request.split('\n').flatMap((line) => {
      const equals = line.indexOf('=');
      return equals < 1 ? [] : [[line.slice(0, equals), line.slice(equals + 1)] as const];
    }),
  );
}
