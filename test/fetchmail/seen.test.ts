/** What was seen stays seen when a server is called something else. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { carriedOver } from '../../lib/fetcher/seen.js';

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
});
