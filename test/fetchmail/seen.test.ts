/** What was seen stays seen when a server is called something else. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { describe, it } from 'node:test';
import { fetchPlaces } from '../../lib/fetcher/places.js';
import { carriedOver, inheritSeen } from '../../lib/fetcher/seen.js';

const UID = '000000016b0b5864';

describe('what was seen of a mailbox', () => {
  it('goes on under the server’s new name', () => {
    const before = `me@x@old.example ${UID}\nme@x@old.example 000000026b0b5864\n`;
    assert.equal(
      carriedOver(before, 'me@x', 'new.example'),
      `${before}me@x@new.example ${UID}\nme@x@new.example 000000026b0b5864\n`,
    );
  });
  it('stays as it is where the server has its own already, or nothing was seen', () => {
    assert.equal(
      carriedOver(`me@new.example 1\nme@old.example ${UID}\n`, 'me', 'new.example'),
      null,
    );
    assert.equal(carriedOver('', 'me', 'new.example'), null);
  });
  it('is another user’s no less: another mailbox', () => {
    assert.equal(carriedOver(`you@old.example ${UID}\n`, 'me', 'new.example'), null);
    assert.equal(carriedOver(`me@x@old.example ${UID}\n`, 'me', 'new.example'), null);
  });
  it('is not carried over by numbers that mean something else there', () => {
    assert.equal(carriedOver('me@old.example 17\n', 'me', 'new.example'), null);
  });
  it('is inherited from a query that is no more, once: a UID may come again when its mail is gone', async () => {
    const root = await mkdtemp(`${tmpdir()}/mailserver-seen-`);
    try {
      const places = fetchPlaces(root);
      const [gone, own] = [places.of('1'), places.of('2')];
      for (const { folder } of [gone, own, places.of('3')])
        await mkdir(folder, { recursive: true });
      await writeFile(gone.ids, `me@x.example 1\nyou@x.example 2\nme@x.example ${UID}\n`);
      await inheritSeen(places, '2', 'me', 'x.example');
      assert.equal(await readFile(own.ids, 'utf8'), `me@x.example 1\nme@x.example ${UID}\n`);
      assert.equal(await readFile(gone.ids, 'utf8'), 'you@x.example 2\n');
      await inheritSeen(places, '3', 'you', 'x.example');
      await assert.rejects(readFile(gone.ids), { code: 'ENOENT' });
      // As fetchmail does when the mailbox is empty.
      await rm(own.ids);
      await inheritSeen(places, '2', 'me', 'x.example');
      await assert.rejects(readFile(own.ids), { code: 'ENOENT' });
    } finally {
      await rm(root, { recursive: true });
    }
  });
});
