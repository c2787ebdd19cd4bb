/** What is known of a message after a crash, by what was noted until then. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { openJournal, type Journal } from '../../lib/fetcher/journal.js';

const [ONE, TWO] = ['1', '2'].map((digit) => digit.repeat(64)) as [string, string];

describe('the journal of what was handed over', () => {
  let folder: string;
  let file: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mailserver-journal-'));
    file = join(folder, 'taken');
  });
  beforeEach(() => writeFile(file, ''));
  after(() => rm(folder, { recursive: true, force: true }));

  /** One session; closing it is as good as a crash. */
  const session = async (work: (journal: Journal) => Promise<void> | void): Promise<void> => {
    const journal = await openJournal(file);
    await work(journal);
    await journal.close();
  };
  const take = async (journal: Journal, digest: string): Promise<void> => {
    await journal.offered(digest);
    await journal.took(digest);
  };

  it('knows what was taken, once for each message, until a session ended well', async () => {
    await session((journal) => take(journal, ONE));
    await session((journal) => {
      assert.equal(journal.recall(ONE), 'taken');
      assert.equal(journal.recall(ONE), 'new');
    });
    await session(async (journal) => {
      assert.equal(journal.recall(ONE), 'taken');
      await journal.settle(false);
    });
    await session((journal) => assert.equal(journal.recall(ONE), 'new'));
  });

  it('knows nothing of what the same session took: that is another message', async () => {
    await session(async (journal) => {
      await take(journal, ONE);
      assert.equal(journal.recall(ONE), 'new');
    });
  });

  it('has doubts about what got no answer, and none about what was declined', async () => {
    await session(async (journal) => {
      await journal.offered(ONE);
      await journal.offered(TWO);
      await journal.declined(TWO);
    });
    await session(async (journal) => {
      assert.equal(journal.recall(ONE), 'doubtful');
      assert.equal(journal.recall(TWO), 'new');
      await take(journal, ONE);
    });
    await session((journal) => assert.equal(journal.recall(ONE), 'taken'));
  });

  it('keeps what a session that ended well did not come to, and its own doubts', async () => {
    await session(async (journal) => {
      await take(journal, ONE);
      await take(journal, TWO);
    });
    await session(async (journal) => {
      journal.recall(TWO);
      await journal.settle(false);
    });
    await session(async (journal) => {
      assert.equal(journal.recall(TWO), 'new');
      assert.equal(journal.recall(ONE), 'taken');
      await journal.offered(TWO);
      await journal.settle(true);
    });
    await session((journal) => {
      assert.equal(journal.recall(ONE), 'new');
      assert.equal(journal.recall(TWO), 'doubtful');
    });
  });

  it('is not led astray by a line that a power cut left half written', async () => {
    await session((journal) => take(journal, ONE));
    const whole = await readFile(file, 'utf8');
    await writeFile(file, whole.slice(0, -20));
    await session(async (journal) => {
      assert.equal(journal.recall(ONE), 'doubtful');
      await take(journal, TWO);
    });
    await session((journal) => assert.equal(journal.recall(TWO), 'taken'));
  });
});
