import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { withoutSender } from '../../lib/fetcher/sender.js';

describe('a sender that Postfix does not take', () => {
  const without = (command: string, reply: string): string | undefined =>
    withoutSender(Buffer.from(command, 'latin1'), reply)?.toString('latin1');

  it('is left out where it can be no address, and the rest of the command stays', () => {
    const reply = '501 5.1.7 Bad sender address syntax';
    assert.equal(without('MAIL FROM:<a b@c> SIZE=12', reply), 'MAIL FROM:<> SIZE=12');
    assert.equal(without('MAIL FROM:<m\xc3\xbc@x.example>', reply), 'MAIL FROM:<>');
    const utf8 = '553 5.6.7 Must declare SMTPUTF8 to send unicode address';
    assert.equal(without('MAIL FROM:<m\xc3\xbc@x.example>', utf8), 'MAIL FROM:<>');
  });

  it('is not the reason where something else is refused', () => {
    for (const reply of [
      '250 2.1.0 Ok',
      '552 5.3.4 Message size exceeds fixed limit',
      '451 4.3.0 The mail server here does not answer',
      '452 4.3.1 Insufficient system storage',
    ]) {
      assert.equal(without('MAIL FROM:<a@b.example> SIZE=12', reply), undefined, reply);
    }
  });
});
