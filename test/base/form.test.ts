import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { baseForm } from '../../lib/base/form.js';
import { BYTES_PER_MB, MAX_MESSAGE_SIZE_MB, type BaseSettings } from '../../lib/base/schema.js';

const settings: BaseSettings = {
  mailServerName: '',
  maxMessageSizeMb: 10,
  delivery: 'system',
  mailboxFormat: 'mbox',
  lmtpHost: '127.0.0.1',
  lmtpPort: 24,
  unknownRecipient: 'refuse',
};

describe('the size in the form of Base configuration', () => {
  it('comes back as the same number of bytes, whatever number that was', () => {
    const bytes = fc.integer({ min: BYTES_PER_MB, max: MAX_MESSAGE_SIZE_MB * BYTES_PER_MB });
    fc.assert(
      fc.property(bytes, (size) => {
        const before = { ...settings, maxMessageSizeMb: size / BYTES_PER_MB };
        const shown = baseForm.toForm(before)['maxMessageSizeMb'] ?? '';
        const after = baseForm.fromForm({ maxMessageSizeMb: shown }, before);
        assert.equal((after as BaseSettings).maxMessageSizeMb, before.maxMessageSizeMb);
      }),
    );
  });

  it('is shown as people read it, and another one that is typed counts', () => {
    const set = { ...settings, maxMessageSizeMb: 10_240_000 / BYTES_PER_MB };
    assert.equal(baseForm.toForm(set)['maxMessageSizeMb'], '9.77');
    const typed = (text: string) => baseForm.fromForm({ maxMessageSizeMb: text }, set);
    assert.deepEqual(typed('9,77'), set);
    assert.deepEqual(typed('9.78'), {
      ...set,
      maxMessageSizeMb: Math.round(9.78 * BYTES_PER_MB) / BYTES_PER_MB,
    });
  });

  it('takes a comma as well as a point', () => {
    const typed = (text: string) => baseForm.fromForm({ maxMessageSizeMb: text }, settings);
    assert.deepEqual(typed('2,5'), typed('2.5'));
    assert.deepEqual(typed('2,5'), { ...settings, maxMessageSizeMb: 2.5 });
  });
});
