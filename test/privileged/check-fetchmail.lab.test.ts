/** Files for fetchmail are read by the installed fetchmail before they are in place. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { renderRunControl } from '../../lib/fetchmail/run-control.js';
import { FETCH_FOLDER } from '../../lib/fetchmail/section.js';
import { startPostfixRoot, type PostfixRoot } from '../support/postfix-root.js';
import { someQuery } from '../support/queries.js';

const CHECK = new URL('../../lib/privileged/apply/check-fetchmail.js', import.meta.url).href;

describe('the check of files for fetchmail', () => {
  let root: PostfixRoot;
  before(async () => {
    root = await startPostfixRoot({ started: false });
  });
  after(() => root.stop());

  /** Runs where the account that fetches is known. What it refuses with, or null. */
  async function check(contents: readonly (string | null)[]): Promise<unknown> {
    const files = contents.map((content, number) => ({
      file: `${root.places.root}${FETCH_FOLDER}/${number}.rc`,
      content,
    }));
    const program = `
      import { checkFetchmail } from ${JSON.stringify(CHECK)};
      const files = ${JSON.stringify(files)};
      const said = await checkFetchmail(files, { root: ${JSON.stringify(root.places.root)} })
        .then(() => null, ({ stage, key, values, detail }) => ({ stage, key, values, detail }));
      process.stdout.write(JSON.stringify(said));`;
    const args = ['--input-type=module', '-'];
    const answer = await root.run(process.execPath, args, { input: program });
    assert.equal(answer.code, 0, answer.stderr);
    return JSON.parse(answer.stdout);
  }

  const query = (server: string, folders: readonly string[] = []): string =>
    renderRunControl(someQuery({ server, folders }), {
      password: 'geheim "\\ #',
      home: 'home.example',
      isLocal: () => false,
    });

  it('takes what we write, many at once, and files that go', async () => {
    const many = Array.from({ length: 300 }, (_, number) => query(`imap${number % 7}.example`));
    assert.equal(await check([...many, null]), null);
    assert.equal(await check([]), null);
  });

  it('takes as many as there may be, however much fetchmail has to say of them', async () => {
    const folders = Array.from({ length: 200 }, (_, number) => `${'folder'.repeat(10)}-${number}`);
    // About nine megabytes.
    const many = Array.from({ length: 700 }, () => query('imap.example', folders));
    assert.equal(await check(many), null);
  });

  it('refuses what fetchmail does not understand, says in which file, and does not repeat it', async () => {
    const broken = `${query('imap.example')}poll there protocol imap passwort "topsecret"\n`;
    const whole = Array.from({ length: 6 }, () => query('imap.example'));
    const said = (await check([...whole, broken, ...whole])) as Record<string, unknown>;
    assert.equal(said['stage'], 'check');
    assert.equal(said['key'], 'helper.check.scanner');
    assert.deepEqual(said['values'], { program: 'fetchmail --configdump' });
    const line = broken.split('\n').length - 1;
    assert.match(String(said['detail']), new RegExp(`^6\\.rc: fetchmail:.*\\b${line}\\b`));
    assert.doesNotMatch(JSON.stringify(said), /topsecret|passwort/);
  });
});
