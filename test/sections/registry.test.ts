import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import Joi from 'joi';
import { sections } from '../../lib/sections/index.js';
import { createRegistry } from '../../lib/sections/registry.js';
import type { Section } from '../../lib/sections/section.js';

const NOTHING = { parameters: [], lists: [], master: [], tables: [], files: [] };

function sectionWith(id: string, owns: Partial<Section['owns']>): Section {
  return {
    id,
    schema: Joi.object(),
    owns: { ...NOTHING, ...owns },
    render: () => ({}),
    read: () => ({ settings: {}, unclear: [] }),
  };
}

describe('the set of sections', () => {
  const things: readonly Partial<Section['owns']>[] = [
    { parameters: ['message_size_limit'] },
    { master: ['smtps/inet'] },
    { options: ['smtp/inet/content_filter'] },
    { tables: ['passwords'] },
    { files: ['/etc/one.conf'] },
  ];
  for (const owns of things) {
    it(`has one owner for one thing: ${Object.keys(owns).join()}`, () => {
      const [one, other] = [sectionWith('one', owns), sectionWith('other', owns)];
      assert.throws(() => createRegistry([one, other]), /is claimed by one and other/);
      assert.equal(createRegistry([one]).all.length, 1);
    });
  }

  it('shares lists, and only those that are made for it', () => {
    const [one, other] = [
      sectionWith('one', { lists: ['mynetworks'] }),
      sectionWith('other', { lists: ['mynetworks'] }),
    ];
    assert.equal(createRegistry([one, other]).all.length, 2);
    assert.throws(() => createRegistry([sectionWith('one', { parameters: ['mynetworks'] })]));
    assert.throws(() => createRegistry([sectionWith('one', { lists: ['myhostname'] })]));
  });

  it('knows who owns a parameter that a page shows', () => {
    assert.equal(sections.ownerOf('message_size_limit')?.id, 'base');
    assert.equal(sections.ownerOf('relayhost')?.id, 'smarthost');
  });
});
