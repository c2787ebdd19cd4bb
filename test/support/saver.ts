/** Saves settings as the web side does: with one database's id and rising numbers. */
import { randomUUID } from 'node:crypto';
import type { BaseSettings } from '../../lib/base/schema.js';
import type { Helper } from '../../lib/client/helper.js';
import type { ApplyParams, ApplyResult } from '../../lib/privileged/protocol.js';

export class Saver {
  readonly databaseId = randomUUID();
  change = 0;

  constructor(private readonly helper: Helper) {}

  /** What the machine has now, in the words of the form. */
  async base(): Promise<BaseSettings> {
    const { sections } = await this.helper.call('read', { sections: ['base'] }, { actor: 'test' });
    return sections['base']?.settings as BaseSettings;
  }

  async domains(): Promise<readonly string[]> {
    const { sections } = await this.helper.call(
      'read',
      { sections: ['domains'] },
      { actor: 'test' },
    );
    return (sections['domains']?.settings as { names: readonly string[] }).names;
  }

  async saveBase(change: Partial<BaseSettings>): Promise<ApplyResult> {
    return this.save({ base: { ...(await this.base()), ...change } });
  }

  /** The next change. Rejects with the helper's refusal. */
  save(sections: ApplyParams['sections'], more: Partial<ApplyParams> = {}): Promise<ApplyResult> {
    this.change += 1;
    const { databaseId, change } = this;
    const params: ApplyParams = { databaseId, change, dryRun: false, sections, ...more };
    return this.helper.call('apply', params, { actor: 'test' });
  }
}
