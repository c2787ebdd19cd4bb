/** One save of another name while something goes wrong, and what must hold afterwards: old or new, never between. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import type { BaseSettings } from '../../lib/base/schema.js';
import { createHelper } from '../../lib/client/helper.js';
import type { HelperTransport } from '../../lib/contract.js';
import { HelperError } from '../../lib/errors.js';
import { identifyLab, labProcesses } from '../../lib/lab/processes.js';
import type { AppliedRecord, ApplyParams } from '../../lib/privileged/protocol.js';
import type { PostfixRoot } from './postfix-root.js';
import { Saver } from './saver.js';
import { SmtpClient } from './smtp-client.js';
import { until } from './wait.js';

/** Beside the files only while a swap is under way. */
const LEFT_OVER = /^\..*\.mailserver-(?:new|old)$|^journal\.json$/;
const TEST = { actor: 'test' };

export type Outcome = 'old' | 'new';

export class FaultRounds {
  readonly #saver: Saver;
  #base: BaseSettings | null = null;
  #names = 0;
  /** How long the last whole save took, in milliseconds. */
  saveMs = 0;

  private constructor(private readonly root: PostfixRoot) {
    this.#saver = new Saver(createHelper(root.transport));
  }

  /** The first save adds the probe listener; from then on main.cf alone changes. */
  static async begin(root: PostfixRoot): Promise<FaultRounds> {
    const rounds = new FaultRounds(root);
    rounds.#base = await rounds.#saver.base();
    const base = { ...rounds.#base, mailServerName: 'mx0.example' };
    rounds.#saver.change += 1;
    const { databaseId, change } = rounds.#saver;
    await rounds.#settle({ databaseId, change, dryRun: false, sections: { base } });
    return rounds;
  }

  /**
   * Saves through `faulty`, looks at once, recovers (through `recovering` first, which may fail as well), looks again,
   * and saves anew. Returns what the fault left: the old configuration or the new one.
   */
  async play(
    faulty: HelperTransport,
    recovering: readonly HelperTransport[] = [],
  ): Promise<Outcome> {
    const { params, texts, name } = await this.#next();
    const answer = await faulty
      .request('apply', params, TEST)
      .then(() => 'done' as const, refusalOf);
    // Before anything is put right: a file written in place would be seen here.
    assert.ok(Object.values(texts).includes(await this.#main()), 'main.cf is neither old nor new');

    for (const transport of recovering)
      await transport.request('record', {}, TEST).catch(refusalOf);
    const record = (await this.root.transport.request('record', {}, TEST)) as AppliedRecord;
    const outcome = (await this.#main()) === texts.new ? 'new' : 'old';
    assert.equal(
      await this.#main(),
      texts[outcome],
      'main.cf is neither old nor new after recovery',
    );
    const told = record.change === params.change ? record.status : 'unknown';
    assert.deepEqual(
      told === 'applied',
      outcome === 'new',
      `the record says ${told}, main.cf is ${outcome}`,
    );
    if (answer === 'refused') assert.equal(outcome, 'old', 'the answer was no, but it was done');
    if (answer === 'done') assert.equal(outcome, 'new', 'the answer was yes, but it was not done');
    await this.#allAgree(outcome === 'new' ? name.new : name.old);

    await this.#settle(params);
    assert.equal(await this.#main(), texts.new);
    await this.#allAgree(name.new);
    return outcome;
  }

  /** A save that must be refused with everything as it was, and that goes through when the fault is over. */
  async playRefused(faulty: HelperTransport, over: () => Promise<void>): Promise<HelperError> {
    const { params, texts, name } = await this.#next();
    const error = await faulty.request('apply', params, TEST).then(
      () => assert.fail('it was not refused'),
      (raised: unknown) => raised,
    );
    assert.ok(error instanceof HelperError, String(error));
    assert.equal(error.restored, true, `${error.key}: ${error.detail}`);
    assert.equal(await this.#main(), texts.old);
    await over();
    await this.#allAgree(name.old);
    await this.#settle(params);
    await this.#allAgree(name.new);
    return error;
  }

  /** The name that the next save will set. */
  get nextName(): string {
    return `mx${this.#names + 1}.example`;
  }

  async #next() {
    const old = await this.#main();
    const name = { old: /^myhostname = (.*)$/m.exec(old)?.[1] ?? '', new: this.nextName };
    this.#names += 1;
    const texts = { old, new: old.replace(/^myhostname = .*$/m, `myhostname = ${name.new}`) };
    const base = { ...this.#base, mailServerName: name.new };
    const { databaseId } = this.#saver;
    const change = (this.#saver.change += 1);
    const params = { databaseId, change, dryRun: false, sections: { base } } satisfies ApplyParams;
    return { params, texts, name };
  }

  /** As the web side does at its next start: the same change again. */
  async #settle(params: ApplyParams): Promise<void> {
    const started = performance.now();
    const { status } = await this.root.helper.call('apply', params, TEST);
    this.saveMs = performance.now() - started;
    assert.equal(status, 'applied');
  }

  #main(): Promise<string> {
    return readFile(`${this.root.places.configDir}/main.cf`, 'latin1');
  }

  /** Files, record, state and daemon say the same, and nothing is left lying about. */
  async #allAgree(name: string): Promise<void> {
    const { configDir, stateDir } = this.root.places;
    const { helper } = this.root;
    assert.deepEqual(await helper.call('drift', {}, TEST), []);
    for (const folder of [configDir, stateDir]) {
      assert.deepEqual(
        (await readdir(folder)).filter((one) => LEFT_OVER.test(one)),
        [],
      );
    }
    await until(`Postfix as ${name}`, () => this.#greetsAs(name));
    await until('the end of what the helper started', () => this.#nothingLeft());
  }

  async #greetsAs(name: string): Promise<boolean> {
    try {
      const [client, greeting] = await SmtpClient.open(this.root.smtpPort);
      await client.command('EHLO client.example');
      await client.command('MAIL FROM:<>');
      const recipient = await client.command('RCPT TO:<alice@localhost>');
      client.close();
      return greeting.text.startsWith(`${name} `) && recipient.code === 250;
    } catch {
      return false;
    }
  }

  /** One Postfix, the holder of the namespace, and no tool that outlives its request. */
  async #nothingLeft(): Promise<boolean> {
    const ids = await labProcesses(await identifyLab(this.root.places));
    const names = await Promise.all(
      ids.map((id) =>
        readFile(`/proc/${id}/comm`, 'utf8').then(
          (text) => text.trim(),
          () => '',
        ),
      ),
    );
    const masters = names.filter((one) => one === 'master').length;
    const tools = names.filter((one) =>
      /^(?:cat|unshare|flock|nsenter|strace|sh|postfix|sleep)$/.test(one),
    );
    return masters === 1 && tools.length === 0;
  }
}

/** What the web side knows when the call is over. */
function refusalOf(error: unknown): 'refused' | 'lost' {
  assert.ok(error instanceof HelperError, String(error));
  return error.key === 'helper.connect.cut' || !error.restored ? 'lost' : 'refused';
}
