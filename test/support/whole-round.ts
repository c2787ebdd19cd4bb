/** One save through the page while parts of the system are killed; afterwards database, files and daemon must agree. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { SmtpClient } from './smtp-client.js';
import { until } from './wait.js';
import type { WholeSystem } from './whole-system.js';

const PAGE = '/mail/configuration/base';
const OPEN_CHANGE = 'has not come to its end yet';
const AS_BEFORE = 'The mail server is as it was before.';

/** What the browser got: the save was done, it was refused, or nobody said. */
export type Answer = 'saved' | 'refused' | 'unknown';

export class WholeRounds {
  #names = 0;
  /** How long the last undisturbed save took, in milliseconds. */
  saveMs = 0;

  private constructor(private readonly system: WholeSystem) {}

  static async begin(system: WholeSystem): Promise<WholeRounds> {
    const rounds = new WholeRounds(system);
    await rounds.saveUndisturbed();
    await rounds.saveUndisturbed();
    return rounds;
  }

  /**
   * Presses the button, does `harm` so many milliseconds later, puts the parts back with `heal`, and waits until nothing is
   * open any more. Returns whether the new name holds.
   */
  async play(
    delayMs: number,
    harm: () => Promise<void>,
    heal: () => Promise<void>,
  ): Promise<'old' | 'new'> {
    const { browser } = this.system;
    const old = await this.#nameInFile();
    const wanted = this.#nextName();
    const pressed = await this.#press(wanted);
    const answer = pressed();
    await sleep(delayMs);
    await harm();
    // Before anything is put right.
    assert.ok([old, wanted].includes(await this.#nameInFile()), 'main.cf is neither old nor new');
    await heal();
    const said = await answer;
    await until('an end of the change', async () => {
      const page = await browser.get('/mail/').catch(() => null);
      return page?.status === 200 && !page.text.includes(OPEN_CHANGE);
    });
    const name = await this.#nameInFile();
    if (said === 'saved') assert.equal(name, wanted, 'the page said it was saved');
    if (said === 'refused') assert.equal(name, old, 'the page said it was refused');
    await this.#agreeOn(name, wanted);
    return name === wanted ? 'new' : 'old';
  }

  /** A save that nothing disturbs goes through. */
  async saveUndisturbed(): Promise<void> {
    const wanted = this.#nextName();
    const pressed = await this.#press(wanted);
    const started = performance.now();
    assert.equal(await pressed(), 'saved');
    this.saveMs = performance.now() - started;
    await this.#agreeOn(wanted, wanted);
  }

  #nextName(): string {
    this.#names += 1;
    return `mx${this.#names}.example`;
  }

  async #press(name: string): Promise<() => Promise<Answer>> {
    const { browser } = this.system;
    const page = await browser.get(PAGE);
    const form = page.forms.find(({ names }) => names.includes('mailServerName'));
    assert.ok(form, `${page.status} ${page.text}`);
    const fields = new URLSearchParams();
    for (const [field, value] of form.fields) fields.append(field, value);
    fields.set('mailServerName', name);
    fields.set('intent', 'save');
    return async () => {
      try {
        const answer = await browser.request('POST', PAGE, fields);
        const text = await answer.text();
        if (answer.status === 303) return 'saved';
        return answer.status === 502 && text.includes(AS_BEFORE) ? 'refused' : 'unknown';
      } catch {
        return 'unknown';
      }
    };
  }

  /** The name that stands in main.cf, the form, the greeting, and what the helper knows; and nothing is left open. */
  async #agreeOn(name: string, wanted: string): Promise<void> {
    const { browser, helper, root } = this.system;
    const page = await browser.get(PAGE);
    const form = page.forms.find(({ names }) => names.includes('mailServerName'));
    const field = form?.fields.find(([key]) => key === 'mailServerName');
    assert.equal(field?.[1], name, 'the form shows another name than main.cf has');
    assert.deepEqual(await helper.call('drift', {}, { actor: 'test' }), []);
    await until(`Postfix as ${name}`, async () => {
      try {
        const [client, greeting] = await SmtpClient.open(root.smtpPort);
        client.close();
        return greeting.text.startsWith(`${name} `);
      } catch {
        return false;
      }
    });
    const history = await browser.get('/mail/history');
    const row = new RegExp(`name: ${wanted} admin \\w+ at [\\d:]+ (took effect|refused|under way)`);
    const result = row.exec(history.text)?.[1] ?? 'never asked for';
    assert.equal(result === 'took effect', name === wanted, `the history says ${result}`);
    assert.notEqual(result, 'under way');
  }

  async #nameInFile(): Promise<string> {
    const text = await readFile(`${this.system.root.places.configDir}/main.cf`, 'utf8');
    return /^myhostname = (.*)$/m.exec(text)?.[1] ?? '';
  }
}
