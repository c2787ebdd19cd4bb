/** Contents of a section, on a real Postfix: deltas in place, whole contents, and everything that must not happen. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { isAliasName } from '../../lib/aliases/address.js';
import { HelperError } from '../../lib/errors.js';
import { IN_PLACE_KEYS } from '../../lib/privileged/apply/in-place.js';
import type { ApplyParams, ApplyResult } from '../../lib/privileged/protocol.js';
import { foldCase } from '../../lib/sections/fold-case.js';
import type { HelperState } from '../../lib/privileged/state.js';
import { startPostfixRoot, type PostfixRoot } from '../support/postfix-root.js';
import { until } from '../support/wait.js';
import { itemsToSend } from '../support/contents-items.js';

type Entries = readonly (readonly [key: string, targets: readonly string[] | null])[];

const ACTIVE = { aliases: { active: true, catchAll: false } };

describe('contents of a section', () => {
  let root: PostfixRoot;
  const databaseId = randomUUID();
  let change = 0;
  let base: string | null = null;

  before(async () => {
    root = await startPostfixRoot();
    await request({ sections: { domains: { names: ['example.com', 'example.org'] } } });
  });
  after(() => root.stop());

  async function request(
    params: Partial<ApplyParams>,
    entries: Entries = [],
  ): Promise<ApplyResult> {
    change += 1;
    const all = { databaseId, change, dryRun: false, sections: ACTIVE, ...params };
    const input = itemsToSend('aliases', entries);
    const options = { actor: 'anna', ...(params.contents ? { input } : {}) };
    return (await root.transport.request('apply', all, options)) as ApplyResult;
  }

  async function send(entries: Entries, from: string | null = base): Promise<ApplyResult> {
    const result = await request({ contents: { aliases: { base: from } } }, entries);
    base = result.contents?.['aliases'] ?? null;
    return result;
  }

  async function refusal(work: Promise<unknown>): Promise<HelperError> {
    try {
      await work;
    } catch (error) {
      if (error instanceof HelperError) return error;
      throw error;
    }
    throw new Error('nothing was refused');
  }

  const table = () => `${root.places.configDir}/mailserver.d/aliases.lmdb`;

  async function answers(): Promise<string[]> {
    const map = `lmdb:${table().replace('.lmdb', '')}`;
    const args = ['-c', root.places.configDir, '-s', map];
    return (await root.run('/usr/sbin/postmap', args)).stdout.trimEnd().split('\n');
  }

  async function state(): Promise<HelperState> {
    const file = `${root.places.root}/var/lib/mailserver-helper/applied.json`;
    return JSON.parse(await readFile(file, 'utf8')) as HelperState;
  }

  it('are asked for whole before main.cf names their table', async () => {
    const error = await refusal(request({}));
    assert.deepEqual([error.stage, error.key], ['validate', 'helper.contents.base']);
    assert.deepEqual(error.values, { section: 'aliases' });
    assert.equal(error.restored, true);
  });

  it('come whole the first time, with the table and the parameters in one swap', async () => {
    const result = await send(
      [
        ['sales', ['info', 'x@outside.example']],
        ['info', ['root']],
      ],
      null,
    );
    assert.equal(result.activation, 'reload');
    assert.deepEqual(await answers(), [
      'info\troot@example.com',
      'sales\tinfo@example.com, x@outside.example',
    ]);
    const proved = result.proof.filter(({ key }) => key === 'proof.recipient');
    assert.deepEqual(
      proved.map(({ values, ok }) => [values['recipient'], ok]),
      [
        ['sales@example.com', true],
        ['info@example.com', true],
      ],
    );
  });

  it('change in place, in the same file, without a reload, and Postfix answers for it', async () => {
    const before = await stat(table());
    const result = await send([
      ['team', ['sales', 'anna@example.org']],
      ['info', null],
    ]);
    assert.equal(result.activation, 'none');
    assert.equal((await stat(table())).ino, before.ino);
    assert.deepEqual(await answers(), [
      'sales\tinfo@example.com, x@outside.example',
      'team\tsales@example.com, anna@example.org',
    ]);
    assert.deepEqual(
      result.files.map(({ diff }) => diff),
      ['-info\troot@example.com\n+team\tsales@example.com, anna@example.org\n'],
    );
    assert.ok(result.proof.some(({ values }) => values['recipient'] === 'team@example.com'));
  });

  it('show in a dry run what would change, and change nothing', async () => {
    const untouched = await answers();
    const preview = await request({ dryRun: true, contents: { aliases: { base } } }, [
      ['team', null],
    ]);
    assert.equal(preview.status, 'preview');
    assert.match(preview.files[0]?.diff ?? '', /^-team\t/);
    assert.deepEqual(await answers(), untouched);
  });

  it('are refused on another base, and nothing changes', async () => {
    const untouched = await answers();
    const error = await refusal(send([['other', ['root']]], 'f'.repeat(64)));
    assert.equal(error.key, 'helper.contents.base');
    assert.deepEqual(await answers(), untouched);
  });

  const hostile: readonly (readonly [string, unknown])[] = [
    ['|/bin/sh', ['root']],
    ['/etc/passwd', ['root']],
    ['a', ['|/bin/sh']],
    ['a', ['/etc/passwd']],
    ['a', [':include:/etc/shadow']],
    ['a', ['b\nevil: root']],
    ['a\tb', ['root']],
    ['a b', ['root']],
    ['A', ['root']],
    ['a', ['b, c']],
    ['a', []],
    ['a', 'root'],
    ['a', { length: 1 }],
    ['', ['root']],
    ['#a', ['root']],
    ['a', Array.from({ length: 501 }, (_, n) => `user${n}`)],
  ];
  for (const [key, targets] of hostile) {
    const shown = JSON.stringify([key, targets]).slice(0, 50);
    it(`refuse ${shown} whatever the web side thought of it`, async () => {
      const error = await refusal(send([[key, targets as string[]]]));
      assert.deepEqual([error.stage, error.key], ['validate', 'helper.contents.entry']);
    });
  }

  it('refuse an entry that goes when everything was to be sent', async () => {
    const error = await refusal(send([['team', null]], null));
    assert.equal(error.key, 'helper.contents.entry');
  });

  it('are built anew for many keys at once, from the helper’s own source text', async () => {
    const before = await stat(table());
    const many = Array.from({ length: IN_PLACE_KEYS + 1 }, (_, n) => [`many${n}`, ['root']]);
    await send(many as unknown as Entries);
    assert.notEqual((await stat(table())).ino, before.ino);
    const lines = await answers();
    assert.equal(lines.length, IN_PLACE_KEYS + 3);
    assert.ok(lines.includes('team\tsales@example.com, anna@example.org'));
    await send(many.map(([key]) => [key, null]) as Entries);
    assert.equal((await answers()).length, 2);
  });

  it('follow the local domains without being sent again', async () => {
    await request({ sections: { domains: { names: ['example.org'] } } });
    assert.deepEqual(await answers(), [
      'sales\tinfo@example.org, x@outside.example',
      'team\tsales@example.org, anna@example.org',
    ]);
    await request({ sections: { domains: { names: ['example.com', 'example.org'] } } });
    assert.deepEqual(
      await answers(),
      ['sales\tinfo@example.org, x@outside.example', 'team\tsales@example.org, anna@example.org'],
      'a domain that comes first in the alphabet is no reason to rewrite them',
    );
  });

  it('notice a table edited by hand, refuse to overwrite it, and do so when told', async () => {
    const map = `lmdb:${table().replace('.lmdb', '')}`;
    const args = ['-c', root.places.configDir, '-i', map];
    await root.run('/usr/sbin/postmap', args, { input: 'sneaked\troot@example.com\n' });
    const drift = (await root.transport.request('drift', {}, { actor: 'anna' })) as {
      kind: string;
      name: string;
      digest: string;
    }[];
    assert.deepEqual(
      drift.map(({ kind, name }) => [kind, name]),
      [['table', 'aliases']],
    );
    const error = await refusal(send([['new', ['root']]]));
    assert.equal(error.stage, 'drift');

    const overwrite = { aliases: drift[0]?.digest ?? '' };
    const contents = { aliases: { base } };
    const second = await refusal(request({ contents, overwrite }, [['new', ['root']]]));
    assert.equal(second.key, 'helper.contents.base', 'then everything has to be sent');
    const whole: Entries = [
      ['new', ['root']],
      ['team', ['sales']],
    ];
    const result = await request({ contents: { aliases: { base: null } }, overwrite }, whole);
    base = result.contents?.['aliases'] ?? null;
    assert.deepEqual(await answers(), ['new\troot@example.org', 'team\tsales@example.org']);
  });

  it('take a table put back from a backup as their own', async () => {
    const copy = `${table()}.copy`;
    await root.run('/usr/bin/cp', [table(), copy]);
    await rename(copy, table());
    await utimes(table(), 1, 1);
    const result = await send([['new', ['anna']]]);
    assert.equal(result.status, 'applied');
    assert.ok((await answers()).includes('new\tanna@example.org'));
  });

  it('are asked for whole when the source text is lost and needed', async () => {
    await rm(`${root.places.root}/var/lib/mailserver-helper/contents/aliases.jsonl`);
    const error = await refusal(request({ sections: { domains: { names: ['example.net'] } } }));
    assert.deepEqual([error.key, error.values], ['helper.contents.base', { section: 'aliases' }]);
    const sections = { domains: { names: ['example.net'] } };
    const contents = { aliases: { base: null } };
    const result = await request({ sections, contents }, [['new', ['root']]]);
    base = result.contents?.['aliases'] ?? null;
    assert.deepEqual(await answers(), ['new\troot@example.net']);
  });

  it('done twice are done once', async () => {
    const contents = { aliases: { base } };
    const first = await request({ contents }, [['twice', ['root']]]);
    change -= 1;
    const second = await request({ contents }, [['twice', ['root']]]);
    assert.deepEqual(second.contents, first.contents);
    assert.equal((await state()).contents['aliases']?.digest, first.contents?.['aliases']);
    base = first.contents?.['aliases'] ?? null;
  });

  it('are put back when the change does not prove itself', async () => {
    const untouched = await answers();
    const digest = (await state()).contents['aliases']?.digest;
    // Postfix refuses mail for this address, whatever the alias says: so its proof fails.
    const access = `inline:{{refused@example.net=REJECT}}`;
    const conf = ['-c', root.places.configDir];
    const value = `smtpd_recipient_restrictions=check_recipient_access ${access}`;
    await root.run('/usr/sbin/postconf', [...conf, '-e', value]);
    await root.reload();
    const error = await refusal(send([['refused', ['root']]]));
    assert.deepEqual([error.stage, error.key], ['prove', 'helper.proof.recipient']);
    assert.equal(error.restored, true);
    assert.deepEqual(await answers(), untouched);
    assert.equal((await state()).contents['aliases']?.digest, digest);
    await root.run('/usr/sbin/postconf', [...conf, '-X', 'smtpd_recipient_restrictions']);
    await root.reload();
    await send([['accepted', ['root']]]);
    assert.ok((await answers()).includes('accepted\troot@example.net'));
  });

  it('change nothing when they are cut off in the middle, and come whole the next time', async () => {
    const untouched = await answers();
    const names = Array.from({ length: 8_000 }, (_, n) => `person.${n}@example.net`).sort();
    const list = (from: number, to: number) =>
      names.slice(from, to).map((name) => [name, ['root', 'anna@outside.example']]);
    const cut = (function* () {
      yield* itemsToSend('aliases', list(0, 6_000));
      throw new Error('the database has gone');
    })();
    change += 1;
    const params = { databaseId, change, dryRun: false, sections: ACTIVE };
    const contents = { aliases: { base: null } };
    const options = { actor: 'anna', input: cut };
    await assert.rejects(
      root.transport.request('apply', { ...params, contents }, options),
      /the database has gone/,
    );
    const again = {
      actor: 'anna',
      input: itemsToSend('aliases', list(0, 6_000), list(6_000, 8_000)),
    };
    change += 1;
    const whole = { ...params, change, contents };
    assert.deepEqual(await answers(), untouched);
    const result = (await root.transport.request('apply', whole, again)) as ApplyResult;
    base = result.contents?.['aliases'] ?? null;
    assert.deepEqual(
      await answers(),
      names.map((name) => `${name}\troot@example.net, anna@outside.example`),
    );
    change += 1;
    const same = await root.transport.request('apply', { ...whole, change }, again);
    assert.equal((same as ApplyResult).status, 'applied', 'their source text is new');
    assert.deepEqual((same as ApplyResult).files, [], 'the table is not');
  });

  it('are refused when somebody edits by hand what is replaced, while they come', async () => {
    const untouched = await answers();
    const begun = `${root.places.root}/var/lib/mailserver-helper/contents/.aliases.jsonl.mailserver-new`;
    const conf = ['-c', root.places.configDir];
    const edits: Record<string, () => Promise<unknown>> = {
      aliases: () => utimes(table(), 1, 1),
      'main.cf': () => root.run('/usr/sbin/postconf', [...conf, '-e', 'smtpd_banner=by hand']),
    };
    for (const [name, edit] of Object.entries(edits)) {
      const input = (async function* () {
        yield* itemsToSend('aliases', [['first', ['root']]]);
        await until(
          'the helper to begin',
          async () => (await stat(begun).catch(() => null)) !== null,
        );
        await edit();
        yield* itemsToSend('aliases', [['@example.net', ['root']]]);
      })();
      change += 1;
      const sections = { aliases: { active: true, catchAll: true } };
      const contents = { aliases: { base: null } };
      const params = { databaseId, change, dryRun: false, sections, contents };
      const error = await refusal(
        root.transport.request('apply', params, { actor: 'anna', input }),
      );
      assert.deepEqual(
        [error.stage, error.key, error.values],
        ['drift', 'helper.drift.meanwhile', { name }],
      );
      assert.deepEqual(await answers(), untouched);
    }
    const banner = await root.run('/usr/sbin/postconf', [...conf, '-h', 'smtpd_banner']);
    assert.equal(banner.stdout, 'by hand\n');
    await root.run('/usr/sbin/postconf', [...conf, '-X', 'smtpd_banner']);
  });

  it('fold the case of every letter as Postfix does', async () => {
    const letters: string[] = [];
    // Up to what Unicode had long ago: Node and Postfix come with libraries of different years.
    for (let code = 0xa1; code < 0x1c80; code += 1) {
      const letter = String.fromCodePoint(code);
      const name = foldCase(letter);
      if (/^\p{L}$/u.test(letter) && isAliasName(name)) letters.push(letter);
    }
    assert.ok(letters.length > 2_000);
    const entries = [...new Set(letters.map(foldCase))].map((name) => [name, ['root']]);
    await send(entries as unknown as Entries, null);
    const map = `lmdb:${table().replace('.lmdb', '')}`;
    const args = ['-c', root.places.configDir, '-q', '-', map];
    const asked = await root.run('/usr/sbin/postmap', args, {
      input: letters.map((letter) => `${letter}\n`),
    });
    const found = new Set(asked.stdout.split('\n').map((line) => line.split('\t')[0]));
    assert.deepEqual(
      letters.filter((letter) => !found.has(letter)),
      [],
    );
  });
});
