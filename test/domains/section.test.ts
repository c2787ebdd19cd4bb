import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { domainsSection } from '../../lib/domains/section.js';
import type { SystemView } from '../../lib/sections/section.js';
import { configView } from '../support/config-view.js';

function refusal(
  parameters: Record<string, string>,
  after: readonly string[],
  before: readonly string[] | null = [],
  lookup?: SystemView['lookup'],
): string | undefined {
  const view = { ...configView(parameters), ...(lookup ? { lookup } : {}) };
  const settings = before === null ? null : { names: before };
  return domainsSection.refuses?.(settings, { names: after }, view)?.key;
}

const ELSEWHERE = 'domains.problem.elsewhere';

describe('the section Local domains', () => {
  for (const parameter of ['virtual_mailbox_domains', 'virtual_alias_domains', 'relay_domains']) {
    it(`does not take a domain away that ${parameter} has`, () => {
      assert.equal(
        refusal({ [parameter]: 'one.example, two.example' }, ['two.example']),
        ELSEWHERE,
      );
      assert.equal(refusal({ [parameter]: 'one.example' }, ['two.example']), undefined);
    });
  }

  it('asks tables that were set up by hand', () => {
    const asked: string[] = [];
    const lookup = (parameter: string, key: string): string | null => {
      asked.push(`${parameter} ${key}`);
      return key === 'two.example' ? 'yes' : null;
    };
    const parameters = { virtual_mailbox_domains: 'hash:/etc/postfix/vdomains' };
    assert.equal(refusal(parameters, ['two.example'], [], lookup), ELSEWHERE);
    assert.equal(refusal(parameters, ['three.example'], [], lookup), undefined);
    assert.deepEqual(asked, [
      'virtual_mailbox_domains two.example',
      'virtual_mailbox_domains three.example',
    ]);
  });

  it('leaves alone what is local already, by hand or by an earlier save', () => {
    const parameters = { relay_domains: 'two.example', mydestination: '$myhostname, two.example' };
    assert.equal(refusal(parameters, ['two.example'], null), undefined);
    assert.equal(
      refusal({ relay_domains: 'two.example' }, ['two.example'], ['two.example']),
      undefined,
    );
    assert.equal(refusal({ relay_domains: '$mydestination' }, ['two.example']), undefined);
  });
});
