import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { CANCEL_TIMEOUT_MS, exchange } from '../../lib/client/line-exchange.js';
import { PATIENCE } from '../../lib/client/patience.js';
import { HelperError } from '../../lib/errors.js';

/** The two ends of a connection: what the client reads and what it wrote so far. */
function connection() {
  const input = new PassThrough();
  const output = new PassThrough();
  const written = (): unknown[] => {
    const text = (output.read() as Buffer | null)?.toString() ?? '';
    return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as unknown]));
  };
  return { input, output, written };
}

function failure(key: string, restored: boolean): (error: unknown) => boolean {
  return (error) =>
    error instanceof HelperError && error.key === key && error.restored === restored;
}

describe('an exchange with the helper', () => {
  it('sends request and items, tells progress, and returns the result', async () => {
    const { input, output, written } = connection();
    const seen: unknown[] = [];
    const answer = exchange(
      input,
      output,
      'act',
      { a: 1 },
      {
        actor: 'me',
        input: ['x', 'ü'],
        onProgress: (progress) => void seen.push(progress.done),
      },
    );
    await turn();
    assert.deepEqual(written(), [
      { protocol: 2, action: 'act', actor: 'me', params: { a: 1 } },
      { item: 'x' },
      { item: 'ü' },
      { end: true },
    ]);
    input.write('{"progress":{"done":1,"total":2}}\n{"prog');
    input.write('ress":{"done":2,"total":2}}\n{"result":{"done":2}}\n');
    assert.deepEqual(await answer, { done: 2 });
    assert.deepEqual(seen, [1, 2]);
  });

  it('asks the action to stop, and returns what it has done by then', async () => {
    const { input, output, written } = connection();
    const controller = new AbortController();
    const answer = exchange(input, output, 'act', {}, { actor: 'me', signal: controller.signal });
    await turn();
    written();
    controller.abort();
    await turn();
    assert.deepEqual(written(), [{ cancel: true }]);
    input.write('{"result":{"done":7,"cancelled":true}}\n');
    assert.deepEqual(await answer, { done: 7, cancelled: true });
  });

  it('gives up on an action that does not stop when asked', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { input, output } = connection();
    const controller = new AbortController();
    const answer = exchange(input, output, 'act', {}, { actor: 'me', signal: controller.signal });
    controller.abort();
    t.mock.timers.tick(CANCEL_TIMEOUT_MS);
    await assert.rejects(answer, failure('helper.connect.cancelled', false));
  });

  it('gives up on one that gives no sign of life, however long its action may take', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { input, output } = connection();
    const answer = exchange(input, output, 'apply', {}, { actor: 'me' });
    await turn();
    for (let round = 0; round < 100; round += 1) {
      t.mock.timers.tick(PATIENCE.silenceMs - 1);
      input.write('{"alive":true}\n');
      await turn();
    }
    t.mock.timers.tick(PATIENCE.silenceMs);
    await assert.rejects(answer, failure('helper.connect.timeout', false));
  });

  it('lets whoever waits know that it is silent, before it gives up, and takes the answer all the same', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { input, output } = connection();
    let told = 0;
    const options = { actor: 'me', onSilence: () => void (told += 1) };
    const answer = exchange(input, output, 'apply', {}, options);
    await turn();
    t.mock.timers.tick(PATIENCE.lookMs - 1);
    assert.equal(told, 0);
    t.mock.timers.tick(1);
    assert.equal(told, 1);
    input.write('{"result":"late"}\n');
    assert.equal(await answer, 'late');
  });

  it('gives up on a look after its time, whatever signs of life there are', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { input, output } = connection();
    const answer = exchange(input, output, 'quarantine-list', {}, { actor: 'me' });
    const givenUp = assert.rejects(answer, failure('helper.connect.timeout', true));
    await turn();
    for (let passed = 0; passed < PATIENCE.lookMs; passed += PATIENCE.lookMs / 4) {
      t.mock.timers.tick(PATIENCE.lookMs / 4);
      input.write('{"alive":true}\n');
      await turn();
    }
    await givenUp;
  });

  it('does not count the time in which it is busy itself with what was said', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { input, output } = connection();
    let go: () => void = () => assert.fail('no progress was told');
    const onProgress = () => new Promise<void>((resolve) => (go = resolve));
    const answer = exchange(input, output, 'queue-raw', {}, { actor: 'me', onProgress });
    input.write('{"progress":{"done":1,"total":2}}\n');
    await turn();
    t.mock.timers.tick(PATIENCE.silenceMs * 10);
    go();
    input.write('{"result":{"found":true}}\n');
    assert.deepEqual(await answer, { found: true });
  });

  it('sends nothing for who has given up already', async () => {
    const { input, output, written } = connection();
    const answer = exchange(input, output, 'act', {}, { actor: 'me', signal: AbortSignal.abort() });
    await assert.rejects(answer, failure('helper.connect.cancelled', true));
    assert.deepEqual(written(), []);
  });

  it('ends at once when what is to be sent cannot be read, and lets the helper know', async () => {
    const { input, output } = connection();
    const fault = new Error('the database went away');
    const items = (async function* () {
      yield await Promise.resolve('x');
      throw fault;
    })();
    await assert.rejects(
      exchange(input, output, 'act', {}, { actor: 'me', input: items }),
      (error) => error === fault,
    );
    assert.ok(output.destroyed);
  });

  it('leaves it to the answer when the helper takes no more items', async () => {
    const { input, output } = connection();
    const error = { stage: 'validate', key: 'k', values: {}, detail: '', restored: true };
    const items = (function* () {
      for (;;) yield 'x'.repeat(1024);
    })();
    const answer = exchange(input, output, 'act', {}, { actor: 'me', input: items });
    await turn();
    output.destroy();
    await turn();
    input.end(`${JSON.stringify({ error })}\n`);
    await assert.rejects(answer, failure('k', true));
  });

  it('tells a cut connection, and an answer that is none, from a refusal', async () => {
    const cut = connection();
    cut.input.end('{"progress":{"done":1,"total":2}}\n{"resu');
    const options = { actor: 'me' };
    await assert.rejects(
      exchange(cut.input, cut.output, 'act', {}, options),
      failure('helper.connect.cut', false),
    );
    const nonsense = connection();
    nonsense.input.end('Segmentation fault\n');
    await assert.rejects(
      exchange(nonsense.input, nonsense.output, 'act', {}, options),
      failure('helper.protocol.malformed', false),
    );
    const refusal = connection();
    const error = { stage: 'check', key: 'k', values: { a: 1 }, detail: 'd', restored: true };
    refusal.input.end(`${JSON.stringify({ error })}\n`);
    await assert.rejects(
      exchange(refusal.input, refusal.output, 'act', {}, options),
      (raised) => raised instanceof HelperError && raised.detail === 'd' && raised.restored,
    );
  });
});
