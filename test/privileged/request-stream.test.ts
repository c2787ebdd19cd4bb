import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { HelperError } from '../../lib/errors.js';
import {
  ListItem,
  MAX_LINE_BYTES,
  REQUEST_TIMEOUT_MS,
  STANDBY_TIMEOUT_MS,
} from '../../lib/privileged/protocol.js';
import { readRequestStream } from '../../lib/privileged/request-stream.js';

const GOOD = { protocol: 2, action: 'read', actor: 'admin', params: { sections: [] } };

function streamOf(...chunks: (string | Buffer)[]) {
  const input = new PassThrough();
  for (const chunk of chunks) input.write(chunk);
  return { input, stream: readRequestStream(input) };
}

function refusal(key: string): (error: unknown) => boolean {
  return (error) => error instanceof HelperError && error.stage === 'protocol' && error.key === key;
}

async function all(items: AsyncIterable<unknown>): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe('a request', () => {
  it('may come in pieces, within a character too', async () => {
    const text = Buffer.from(`${JSON.stringify({ ...GOOD, actor: 'jürgen' })}\n`);
    const { input, stream } = streamOf();
    const request = stream.request();
    for (const byte of text) {
      input.write(Buffer.of(byte));
      await turn();
    }
    assert.deepEqual(await request, { ...GOOD, actor: 'jürgen' });
  });

  it('is refused when it is not one', async () => {
    const bad: [string | Buffer, string][] = [
      ['{"protocol":1,"action":"read","actor":"a","params":{}}', 'version'],
      ['{"action":"read","actor":"a","params":{}}', 'version'],
      ['{"protocol":2,"action":"read","actor":"a","params":{},"extra":1}', 'malformed'],
      ['{"protocol":2,"action":"read","actor":"a","params":{},"__proto__":{}}', 'malformed'],
      ['{"protocol":2,"action":"a","actor":"a","params":{"x":[{"__proto__":{}}]}}', 'malformed'],
      ['{"protocol":2,"action":"a","actor":"a","params":{"\\u005f_proto__":{}}}', 'malformed'],
      ['{"protocol":2,"action":"read","actor":"a","params":[]}', 'malformed'],
      ['{"protocol":2,"action":"read","actor":"a","params":null}', 'malformed'],
      ['{"protocol":2,"action":"read","params":{}}', 'malformed'],
      ['{"protocol":2,"action":["read"],"actor":"a","params":{}}', 'malformed'],
      [`{"protocol":2,"action":"read","actor":"${'a'.repeat(257)}","params":{}}`, 'malformed'],
      ['[]', 'malformed'],
      ['null', 'malformed'],
      ['"read"', 'malformed'],
      ['', 'malformed'],
      ['GET / HTTP/1.1', 'malformed'],
      [Buffer.from([0xff, 0xfe, 0x7b, 0x7d]), 'malformed'],
      [
        Buffer.from('{"protocol":2,"action":"\xe9","actor":"a","params":{}}', 'latin1'),
        'malformed',
      ],
    ];
    for (const [line, key] of bad) {
      const { stream } = streamOf(line, '\n');
      await assert.rejects(stream.request(), refusal(`helper.protocol.${key}`), String(line));
    }
  });

  it('is refused at the first byte over the limit, and not before', async () => {
    const frame = JSON.stringify({ ...GOOD, params: { text: '' } });
    const fits = frame.replace('""', `"${'x'.repeat(MAX_LINE_BYTES - frame.length)}"`);
    assert.equal(Buffer.byteLength(fits), MAX_LINE_BYTES);
    assert.equal((await streamOf(fits, '\n').stream.request())?.action, 'read');
    const tooLong = fits.replace('xx', 'xxx');
    await assert.rejects(streamOf(tooLong, '\n').stream.request(), refusal('helper.protocol.long'));
    const endless = streamOf(Buffer.alloc(MAX_LINE_BYTES + 1, 0x20));
    await assert.rejects(endless.stream.request(), refusal('helper.protocol.long'));
  });

  it('is refused when the connection ends before its line does', async () => {
    for (const text of ['', JSON.stringify(GOOD)]) {
      const { input, stream } = streamOf(text);
      input.end();
      await assert.rejects(stream.request(), refusal('helper.protocol.empty'));
    }
  });

  it('is waited for no longer than the limit', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { stream } = streamOf(JSON.stringify(GOOD));
    const request = stream.request();
    await turn();
    t.mock.timers.tick(REQUEST_TIMEOUT_MS);
    await assert.rejects(request, refusal('helper.protocol.slow'));
  });
});

describe('a request that is expected', () => {
  const EXPECTED = '{"protocol":2,"standby":"read"}\n';

  it('is waited for once what it needs is ready', async () => {
    const { input, stream } = streamOf(EXPECTED);
    const ready: string[] = [];
    const request = stream.request((action) => Promise.resolve(void ready.push(action)));
    await turn();
    assert.deepEqual(ready, ['read']);
    input.write(`${JSON.stringify(GOOD)}\n{"item":1}\n{"end":true}\n`);
    assert.deepEqual(await request, GOOD);
    assert.deepEqual(await all(stream.items), [1]);
  });

  it('may come before that', async () => {
    const { stream } = streamOf(`${EXPECTED}${JSON.stringify(GOOD)}\n`);
    assert.deepEqual(await stream.request(), GOOD);
  });

  it('need not come: that is no fault', async (t) => {
    const gone = streamOf(EXPECTED);
    gone.input.end();
    assert.equal(await gone.stream.request(), null);
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { stream } = streamOf(EXPECTED);
    const request = stream.request();
    for (let step = 0; step < 5; step += 1) await turn();
    t.mock.timers.tick(STANDBY_TIMEOUT_MS);
    assert.equal(await request, null);
  });

  it('is refused like any other, and so is the word that it will come', async () => {
    const bad: [string, string][] = [
      [`${EXPECTED}{"protocol":1}`, 'version'],
      [`${EXPECTED}${EXPECTED}`, 'malformed'],
      [`${EXPECTED}nonsense`, 'malformed'],
      ['{"standby":"read"}', 'version'],
      ['{"protocol":2,"standby":["read"]}', 'malformed'],
      ['{"protocol":2,"standby":"read","action":"read"}', 'malformed'],
    ];
    for (const [lines, key] of bad) {
      const { stream } = streamOf(lines, '\n');
      await assert.rejects(stream.request(), refusal(`helper.protocol.${key}`), lines);
    }
  });
});

describe('the items after a request', () => {
  const first = `${JSON.stringify(GOOD)}\n`;

  it('come in order until the end line', async () => {
    const { stream } = streamOf(
      first,
      '{"item":1}\n{"item":{"a":',
      '2}}\n{"end":true}\n{"item":3}\n',
    );
    await stream.request();
    assert.deepEqual(await all(stream.items), [1, { a: 2 }]);
  });

  it('are refused when the connection ends without the end line', async () => {
    const { input, stream } = streamOf(first, '{"item":1}\n');
    input.end();
    await stream.request();
    await assert.rejects(all(stream.items), refusal('helper.protocol.cut'));
    assert.ok(stream.signal.aborted);
  });

  it('are refused when one is something else', async () => {
    for (const line of ['{"request":1}', ' [1]', '[1]\r', '{', '\u0000']) {
      const { stream } = streamOf(first, '{"item":1}\n', line, '\n');
      await stream.request();
      await assert.rejects(all(stream.items), refusal('helper.protocol.malformed'), line);
    }
  });

  it('come with the line they were, when they are lists', async () => {
    const lines = ['[["sales",["info@example.com"]]]', '[ ]', '["ü",\r\t1]'];
    const { stream } = streamOf(first, ...lines.map((line) => `${line}\n`), '{"end":true}\n');
    await stream.request();
    const expected = lines.map(
      (line) => new ListItem(JSON.parse(line) as unknown[], Buffer.from(line)),
    );
    assert.deepEqual(await all(stream.items), expected);
  });

  it('are read ahead no further than the limit', async () => {
    const { input, stream } = streamOf(first);
    await stream.request();
    const item = `${JSON.stringify({ item: 'x'.repeat(64 * 1024) })}\n`;
    let sent = 0;
    while (input.write(item) && sent < 10 * MAX_LINE_BYTES) {
      sent += item.length;
      await turn();
      await turn();
    }
    assert.ok(sent < 2 * MAX_LINE_BYTES, `${sent} bytes were taken that nobody asked for`);
    const items = stream.items[Symbol.asyncIterator]();
    for (let read = 0; read < sent; read += item.length) await items.next();
    input.write(item);
    assert.equal((await items.next()).done, false);
  });
});

describe('the signal of a request', () => {
  const first = `${JSON.stringify(GOOD)}\n`;

  it('comes from a cancel line even when nobody reads items', async () => {
    const { input, stream } = streamOf(first);
    await stream.request();
    assert.equal(stream.signal.aborted, false);
    input.write('{"cancel":true}\n');
    await turn();
    assert.ok(stream.signal.aborted);
    assert.deepEqual(await all(stream.items), []);
  });

  it('comes when the other side goes away, even when nobody reads items', async () => {
    for (const leave of ['end', 'destroy'] as const) {
      const { input, stream } = streamOf(first);
      await stream.request();
      input[leave]();
      for (let turns = 0; turns < 5; turns += 1) await turn();
      assert.ok(stream.signal.aborted, leave);
    }
  });
});
