import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { after, beforeEach, describe, it } from 'node:test';
import { createCourier, type BatchResult } from '../../lib/bulk/courier.js';
import type { Recipient } from '../../lib/bulk/recipient-store.js';

/** What the server answers to a line; null ends the connection without a word. */
type Answers = (line: string, connection: number) => string | null;

const MESSAGE = Buffer.from('Subject: x\r\n\r\n.hidden\r\nbody\r\n');

/** A server that answers as it is told, line by line, and keeps what it took. */
async function startServer() {
  const sockets = new Set<Socket>();
  const state = {
    answers: ((line) => usual(line)) as Answers,
    connections: 0,
    taken: [] as { to: string; text: string }[],
    extensions: ['PIPELINING', 'SIZE 1000000'],
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    state.connections += 1;
    const own = state.connections;
    let buffer = '';
    let to = '';
    let data: string[] | null = null;
    const say = (answer: string | null): void => {
      if (answer === null) socket.destroy();
      else socket.write(`${answer}\r\n`);
    };
    say(state.answers('connect', own));
    socket.on('data', (chunk: Buffer) => {
      buffer += chunk.toString('latin1');
      for (let at = buffer.indexOf('\r\n'); at >= 0; at = buffer.indexOf('\r\n')) {
        const line = buffer.slice(0, at);
        buffer = buffer.slice(at + 2);
        if (data !== null && line !== '.') {
          data.push(line);
          continue;
        }
        const answer = state.answers(line, own);
        if (line.startsWith('RCPT')) to = /<(.*)>/.exec(line)?.[1] ?? '';
        if (line === '.' && answer?.startsWith('250')) {
          state.taken.push({ to, text: (data ?? []).join('\n') });
        }
        data = line === 'DATA' && answer?.startsWith('354') ? [] : null;
        say(answer);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  function usual(line: string): string {
    if (line === 'connect') return '220 ready';
    if (line.startsWith('EHLO')) {
      const lines = ['hello', ...state.extensions];
      return lines
        .map((one, index) => `250${index < lines.length - 1 ? '-' : ' '}${one}`)
        .join('\r\n');
    }
    if (line === 'DATA') return '354 go on';
    if (line === '.') return '250 2.0.0 Ok: queued as 3A0B1C2D3E';
    return '250 2.0.0 Ok';
  }
  return {
    state,
    usual,
    port: (server.address() as AddressInfo).port,
    stop: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

const usualMessage: (one: Recipient) => readonly Buffer[] = () => [MESSAGE];

const people = (...names: string[]): Recipient[] =>
  names.map((name, index) => ({
    ...{ no: index + 1, name, login: name, address: `${name}@example.com`, state: 'sending' },
    ...{ queueId: '', reply: '', attempts: 0, sentAt: null, changedAt: new Date() },
  }));

describe('messages to the mail server', async () => {
  const server = await startServer();
  after(() => server.stop());
  beforeEach(() => {
    server.state.answers = (line) => server.usual(line);
    server.state.connections = 0;
    server.state.taken.length = 0;
    server.state.extensions = ['PIPELINING', 'SIZE 1000000'];
  });

  const deliver = async (
    recipients: readonly Recipient[],
    { port = server.port, connections = 1, may = (): boolean => true, write = usualMessage } = {},
  ): Promise<BatchResult> => {
    const courier = createCourier({ connections, retrySeconds: 60 });
    const batch = { host: '127.0.0.1', port, sender: 'info@example.com', recipients, may };
    const result = await courier.deliver({ ...batch, write });
    await courier.close();
    return result;
  };
  const states = ({ outcomes }: BatchResult): string =>
    [...outcomes]
      .sort((a, b) => a.no - b.no)
      .map(({ state }) => state)
      .join(' ');
  const answer = (to: string, reply: string): void => {
    server.state.answers = (line) =>
      line === `RCPT TO:<${to}@example.com>` ? reply : server.usual(line);
  };

  for (const extensions of [['PIPELINING'], []]) {
    it(`go over one connection, each to one recipient${extensions.length ? '' : ', also one command at a time'}`, async () => {
      server.state.extensions = extensions;
      const result = await deliver(people('a', 'b', 'c'));
      assert.equal(states(result), 'accepted accepted accepted');
      assert.equal(result.outcomes[0]?.queueId, '3A0B1C2D3E');
      assert.deepEqual(
        server.state.taken.map(({ to }) => to),
        ['a@example.com', 'b@example.com', 'c@example.com'],
      );
      assert.match(server.state.taken[0]?.text ?? '', /\n\.\.hidden\n/, 'dots are doubled');
      assert.equal(server.state.connections, 1);
    });
  }

  it('go on after one that is refused, and a server that is tired of refusals gets a new connection', async () => {
    const names = Array.from({ length: 12 }, (_, index) => `p${index}`);
    server.state.answers = (line) =>
      /^RCPT TO:<p(?!11)/.test(line) ? '550 5.1.1 unknown' : server.usual(line);
    const result = await deliver(people(...names));
    assert.equal(states(result), `${'refused '.repeat(11)}accepted`);
    assert.equal(result.halt, null);
    assert.match(result.outcomes[0]?.reply ?? '', /^550 5\.1\.1 unknown$/);
    assert.equal(server.state.connections, 3);
  });

  it('wait with one that is put off, each time longer', async () => {
    answer('b', '450 4.2.0 greylisted');
    const result = await deliver(people('a', 'b', 'c'));
    assert.equal(states(result), 'accepted waiting accepted');
    assert.equal(result.outcomes[1]?.delay, 60);
    const [again] = people('b');
    const later = await deliver([{ ...(again ?? assert.fail()), attempts: 3 }]);
    assert.equal(later.outcomes[0]?.delay, 480);
  });

  it('stop at 421 with that recipient still to be sent, nothing of it counted as a try', async () => {
    for (const at of [
      'MAIL FROM:<info@example.com> SIZE=29',
      'RCPT TO:<b@example.com>',
      'DATA',
      '.',
    ]) {
      let seen = 0;
      server.state.answers = (line) => {
        if (line !== at) return server.usual(line);
        seen += 1;
        const turn = at.startsWith('RCPT') ? 1 : 2;
        return seen === turn ? '421 4.3.0 shutting down' : server.usual(line);
      };
      const result = await deliver(people('a', 'b', 'c'));
      assert.equal(states(result), 'accepted waiting waiting', at);
      assert.equal(result.halt?.kind, 'busy', at);
      assert.ok(
        result.outcomes
          .filter(({ no }) => no > 1)
          .every(({ tried, delay }) => !tried && delay === 0),
        at,
      );
    }
  });

  it('stop when there is no room, when nobody answers, and when the sender is not taken', async () => {
    server.state.answers = (line) =>
      line.startsWith('MAIL') ? '452 4.3.1 Insufficient system storage' : server.usual(line);
    const full = await deliver(people('a'));
    assert.deepEqual([full.halt?.kind, states(full)], ['disk', 'waiting']);
    const nobody = await deliver(people('a'), { port: 1 });
    assert.deepEqual([nobody.halt?.kind, states(nobody)], ['unreachable', 'waiting']);
    server.state.answers = (line) =>
      line.startsWith('MAIL') ? '552 5.3.4 too big' : server.usual(line);
    const never = await deliver(people('a', 'b'));
    assert.deepEqual(
      [never.halt, states(never)],
      [{ kind: 'sender', reply: '552 5.3.4 too big' }, 'waiting waiting'],
    );
  });

  it('are in doubt only when the end was on its way and no answer came', async () => {
    server.state.answers = (line) => (line === '.' ? null : server.usual(line));
    const lost = await deliver(people('a', 'b'));
    assert.deepEqual([states(lost), lost.halt?.kind], ['checking waiting', 'unreachable']);
    for (const at of ['connect', 'DATA', 'RCPT TO:<a@example.com>']) {
      server.state.answers = (line) => (line === at ? null : server.usual(line));
      const before = await deliver(people('a'));
      assert.equal(states(before), 'waiting', at);
    }
  });

  it('go on after one that cannot be written, which is told and never sent', async () => {
    const write = ({ name }: Recipient): readonly Buffer[] => {
      if (name === 'b') throw new RangeError('no such date');
      return [MESSAGE];
    };
    const result = await deliver(people('a', 'b', 'c', 'd'), { connections: 2, write });
    assert.equal(states(result), 'accepted refused accepted accepted');
    assert.equal(result.outcomes.find(({ no }) => no === 2)?.reply, 'no such date');
    assert.equal(result.halt, null);
    assert.deepEqual(server.state.taken.map(({ to }) => to).sort(), [
      'a@example.com',
      'c@example.com',
      'd@example.com',
    ]);
  });

  it('are not begun by somebody who may no longer send', async () => {
    let left = 2;
    const result = await deliver(people('a', 'b', 'c', 'd'), { may: () => left-- > 0 });
    assert.equal(states(result), 'accepted accepted waiting waiting');
  });
});
