import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  lineOfList,
  readSource,
  sourceLine,
  startSource,
} from '../../lib/privileged/apply/contents-source.js';
import { pathsBelow, type Paths } from '../../lib/privileged/paths.js';

describe('the source text of contents', () => {
  let root: string;
  let paths: Paths;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'mailserver-source-'));
    paths = pathsBelow(root);
    await mkdir(paths.stateDir, { recursive: true });
  });
  after(() => rm(root, { recursive: true, force: true }));

  it('is read back as it came: the last word on a key counts, and JSON may be written with blanks', async () => {
    const long = Array.from({ length: 3_000 }, (_, n): [string, string[]] => [`a${n}`, ['x@y.z']]);
    const texts = [
      sourceLine(long),
      lineOfList(Buffer.from('[["sales",\r["ann"]],\t["ü\u2028",["bob"]]\r]')),
      sourceLine([
        ['sales', ['carol']],
        ['a0', null],
      ]),
    ];
    const source = await startSource(paths, 'aliases');
    for (const text of texts) source.write(text);
    const { file, bytes } = await source.finish();
    await rename(file, source.place);
    assert.equal(bytes, Buffer.concat(texts).length);
    const expected = new Map<string, unknown>([
      ...long.slice(1),
      ['sales', ['carol']],
      ['ü\u2028', ['bob']],
    ]);
    assert.deepEqual(await readSource(paths, 'aliases', bytes), expected);
    assert.equal(await readSource(paths, 'aliases', bytes + 1), null);
    const cut = bytes - (texts[2]?.length ?? 0) - 3;
    assert.equal(await readSource(paths, 'aliases', cut), null, 'cut within a line');
  });
});
